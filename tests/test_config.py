from pathlib import Path

import pytest

from libreseed.config import Settings, default_root, read_config
from libreseed.errors import ConfigError

KNOWN = {"port", "p2p_port", "bootstrap"}


def test_everything_is_below_the_root(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    for path in (settings.database_file, settings.trust_file, settings.keys_dir):
        assert path.is_relative_to(settings.state_dir)
    assert settings.state_dir == tmp_path / ".libreseed"
    assert settings.swarm_dir == tmp_path / ".libreseed_modules" / ".swarm"


def test_defaults(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    assert (settings.host, settings.port, settings.upstream) == ("127.0.0.1", 4880, "auto")
    assert default_root().is_absolute()


def test_a_config_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('port = 1\np2p-port = 2\nbootstrap = ["a:1"]\n')
    assert read_config(file, KNOWN) == {"port": 1, "p2p_port": 2, "bootstrap": ["a:1"]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"port = ", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"prot = 1", "unknown key 'prot'"),
        (b"[port]\n[other]", "unknown key 'other'"),
    ],
)
def test_a_wrong_config_file(tmp_path: Path, text: bytes, says: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text)
    with pytest.raises(ConfigError, match=says) as caught:
        read_config(file, KNOWN)
    assert str(file) in caught.value.message


def test_no_config_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.toml"):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_config(path, KNOWN)
