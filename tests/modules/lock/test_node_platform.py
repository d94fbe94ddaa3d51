import shutil

import pytest

from libreseed.errors import UnavailableError
from libreseed.modules.lock import node_platform
from libreseed.modules.lock.node_platform import detect_platform


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A `node` on the PATH that says what it is told to, and notes each time that it is asked."""
    program = tmp_path / "bin" / "node"
    program.parent.mkdir()

    def say(version, size=0):
        asked = tmp_path / "asked"
        answer = f'{{"os": "plan9", "cpu": "mips", "libc": "", "node": "{version}"}}'
        program.write_text(f"#!/bin/sh\necho x >>{asked}\necho '{answer}'\nexit\n" + "#" * size)
        program.chmod(0o755)
        return lambda: len(asked.read_text().splitlines())

    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return say


async def test_the_real_node_tells_the_platform(tmp_path):
    platform = await detect_platform(tmp_path / "cache")
    assert platform.os
    assert platform.cpu
    assert platform.node.split(".")[0].isdigit()
    assert await detect_platform(tmp_path / "cache") == platform


async def test_it_is_asked_once_for_as_long_as_it_stays_the_same(tmp_path, node, monkeypatch):
    monkeypatch.setattr(node_platform, "_SMALLEST", 1000)
    asked = node("20.0.0", 1000)
    assert [(await detect_platform(tmp_path / "cache")).node for _ in range(3)] == ["20.0.0"] * 3
    assert asked() == 1
    node("22.0.0", 1001)
    assert (await detect_platform(tmp_path / "cache")).node == "22.0.0"


async def test_what_may_stand_in_for_several_is_asked_each_time(tmp_path, node):
    asked = node("20.0.0")
    assert [(await detect_platform(tmp_path / "cache")).node for _ in range(2)] == ["20.0.0"] * 2
    assert asked() == 2


async def test_one_that_says_nonsense_is_an_error(tmp_path, node):
    node('"')
    with pytest.raises(UnavailableError, match="did not start properly"):
        await detect_platform(tmp_path / "cache")
    shutil.rmtree(tmp_path / "bin")
