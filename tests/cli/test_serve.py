from pathlib import Path

import pytest
from click.testing import CliRunner

from libreseed.cli import serve
from libreseed.cli.serve import serve_command
from libreseed.config import Settings
from libreseed.errors import ConfigError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def settings_of(config: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Settings:
    """Return the settings that `serve` would start a node with."""
    seen: list[Settings] = []

    async def keep(settings: Settings) -> None:
        seen.append(settings)

    monkeypatch.setattr(serve, "_serve", keep)
    CliRunner().invoke(serve_command, ["--config", str(config), *options], catch_exceptions=False)
    return seen[0]


def test_tables_stand_beside_options(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('hedge = 1.5\nport = 1\n[access."@acme/*"]\nread = ["team"]\n[groups]\nteam = ["ann"]\n')
    settings = settings_of(config, monkeypatch, "--port", "2")
    assert (settings.hedge, settings.port) == (1.5, 2)
    assert (settings.access, settings.groups) == ({"@acme/*": {"read": ["team"]}}, {"team": ["ann"]})


def test_a_wrong_table_is_named_with_its_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('[access."@acme/*"]\nread = "ann"\n')
    with pytest.raises(ConfigError, match=r'access\."@acme/\*"\.read must be a list') as caught:
        settings_of(config, monkeypatch)
    assert str(config) in caught.value.message


def test_limits_in_the_words_of_users(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("upload-limit = '2M'\ndownload-limit = 5000\n")
    settings = settings_of(config, monkeypatch, "--upload-limit", "500K")
    assert (settings.upload_limit, settings.download_limit) == (500 << 10, 5000)
    shown = CliRunner().invoke(serve_command, ["--upload-limit", "fast"])
    assert "Invalid value for '--upload-limit': 'fast' is no rate. Write bytes a second" in shown.output
