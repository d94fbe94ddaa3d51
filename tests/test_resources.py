from pathlib import Path

import pytest

from libreseed import resources
from libreseed.errors import StoreError
from libreseed.resources import resource_folder


def test_this_installation_has_its_templates() -> None:
    assert (resource_folder("shims/templates/node-shims", "node-shims") / "package.json.j2").is_file()


def test_what_is_packed_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "proxy" / "libreseed"
    monkeypatch.setattr(resources, "__file__", str(package / "resources.py"))
    packed, source = package / "demo" / "examples", tmp_path / "examples" / "demo"
    source.mkdir(parents=True)
    assert resource_folder("demo/examples", "examples/demo") == source
    packed.mkdir(parents=True)
    assert resource_folder("demo/examples", "examples/demo") == packed


def test_what_is_missing_is_told() -> None:
    with pytest.raises(StoreError, match=r"'source/nothing' are missing.*Install libreseed again"):
        resource_folder("packed/nothing", "source/nothing")
