import json

import pytest

from libreseed.demo.examples import copy_example
from libreseed.demo.story import OWN
from libreseed.errors import StoreError


def test_the_published_package_is_there_under_the_name_that_the_demo_uses(tmp_path):
    folder = copy_example("greeting", tmp_path / "greeting")
    assert json.loads((folder / "package.json").read_text())["name"] == OWN


@pytest.mark.parametrize("program", ["greet.js", "server.js"])
def test_the_programs_are_there(tmp_path, program):
    assert OWN in (copy_example("app", tmp_path / "app") / program).read_text()


def test_an_example_that_is_missing_is_told(tmp_path):
    with pytest.raises(StoreError, match="'examples/demo/nothing' are missing"):
        copy_example("nothing", tmp_path / "x")
