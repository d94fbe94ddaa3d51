import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.clients import pointing
from libreseed.clients.backup import USER, BackupFile, read
from libreseed.clients.bunfig import Bunfig
from libreseed.clients.endpoint import Endpoint
from libreseed.clients.npmrc import Npmrc
from libreseed.clients.places import Place
from libreseed.clients.pointing import Change, point, take_back_all
from libreseed.clients.yarnrc import Yarnrc
from libreseed.errors import ConfigError, StoreError

HERE = Endpoint("http://localhost:4880/")
THERE = Endpoint("http://localhost:4881/", "s3cret")


class Home:
    """A home with an .npmrc, and what is remembered of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.npmrc = folder / ".npmrc"
        self.place = Place("npm", self.npmrc, Npmrc())
        self.backups = BackupFile(folder / "data" / "clients.json")

    def point(self, endpoint: Endpoint = HERE, *places: Place, dry: bool = False) -> list[Change]:
        return point(places or [self.place], endpoint, self.backups, USER, dry=dry)

    def undo(self, *clients: str, dry: bool = False) -> list[Change]:
        return take_back_all(self.backups, USER, clients, dry=dry)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_private_and_goes_away_again(home: Home) -> None:
    assert home.point() == [Change("npm", home.npmrc, "created")]
    assert home.npmrc.read_text() == "registry=http://localhost:4880/\n"
    assert mode(home.npmrc) == mode(home.backups.path) == 0o600
    assert home.undo() == [Change("npm", home.npmrc, "removed")]
    assert not home.npmrc.exists()
    assert home.undo() == []


def test_an_old_file_keeps_its_mode_and_comes_back(home: Home) -> None:
    home.npmrc.write_text("# mine\nregistry=http://old.example/")
    home.npmrc.chmod(0o640)
    assert home.point() == [Change("npm", home.npmrc, "changed", "http://old.example/")]
    assert mode(home.npmrc) == 0o640
    assert home.undo() == [Change("npm", home.npmrc, "restored")]
    assert home.npmrc.read_text() == "# mine\nregistry=http://old.example/"
    assert mode(home.npmrc) == 0o640


@given(data=st.one_of(st.none(), st.binary(max_size=100), st.text(max_size=100).map(str.encode)))
def test_every_content_comes_back_byte_for_byte(tmp_path_factory: pytest.TempPathFactory, data: bytes | None) -> None:
    home = Home(tmp_path_factory.mktemp("home"))
    if data is not None:
        home.npmrc.write_bytes(data)
    for endpoint in (HERE, THERE, HERE):
        home.point(endpoint)
    home.undo()
    assert (home.npmrc.read_bytes() if home.npmrc.exists() else None) == data


def test_the_first_memory_survives_a_second_time(home: Home) -> None:
    home.npmrc.write_text("registry=http://old.example/\n")
    home.point()
    assert home.point() == [Change("npm", home.npmrc, "unchanged", "http://old.example/")]
    assert home.point(THERE) == [Change("npm", home.npmrc, "changed", "http://old.example/")]
    home.npmrc.write_text(home.npmrc.read_text() + "since=1\n")
    home.point()
    assert "s3cret" in home.npmrc.read_text(), "without a login the token stays"
    [change] = home.undo()
    assert (change.action, change.complete) == ("restored", True)
    assert home.npmrc.read_text() == "registry=http://old.example/\nsince=1\n"


def test_what_was_edited_since_is_kept(home: Home) -> None:
    home.npmrc.write_text("registry=http://old.example/\n")
    home.point(THERE)
    home.npmrc.write_text("; top\n" + home.npmrc.read_text() + "since=1\n")
    assert home.undo() == [Change("npm", home.npmrc, "merged")]
    assert home.npmrc.read_text() == "; top\nregistry=http://old.example/\nsince=1\n"


def test_a_line_of_ours_that_was_edited_is_left(home: Home) -> None:
    home.npmrc.write_text("registry=http://old.example/\n")
    home.point()
    home.npmrc.write_text("registry=http://mine.example/\n")
    assert home.undo() == [Change("npm", home.npmrc, "merged", complete=False)]
    assert home.npmrc.read_text() == "registry=http://mine.example/\n"


def test_a_file_of_ours_that_got_more_lines_stays_with_those(home: Home) -> None:
    home.point()
    home.npmrc.write_text(home.npmrc.read_text() + "since=1\n")
    home.undo()
    assert home.npmrc.read_text() == "since=1\n"


def test_a_file_that_is_gone_stays_gone(home: Home) -> None:
    home.npmrc.write_text("a=1\n")
    home.point()
    home.npmrc.unlink()
    assert home.undo() == [Change("npm", home.npmrc, "gone")]
    assert not home.npmrc.exists()


def test_a_dry_run_does_nothing(home: Home) -> None:
    assert home.point(dry=True) == [Change("npm", home.npmrc, "created")]
    assert os.listdir(home.folder) == []
    home.point()
    assert home.undo(dry=True) == [Change("npm", home.npmrc, "removed")]
    assert home.npmrc.exists()
    assert home.undo() == [Change("npm", home.npmrc, "removed")]


def test_a_link_stays_a_link(home: Home) -> None:
    target = home.folder / "dotfiles"
    target.write_text("a=1\n")
    home.npmrc.symlink_to(target)
    home.point()
    assert home.npmrc.is_symlink()
    assert target.read_text() == "registry=http://localhost:4880/\na=1\n"
    assert home.backups.former(home.npmrc) == "a=1\n"
    home.undo()
    assert home.npmrc.is_symlink()
    assert target.read_text() == "a=1\n"


def test_an_interruption_between_memory_and_file_loses_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.npmrc.write_text("registry=http://old.example/\n")

    def fail(path: Path, text: str) -> None:
        raise StoreError("interrupted")

    with monkeypatch.context() as patch:
        patch.setattr(pointing, "write", fail)
        with pytest.raises(StoreError):
            home.point()
    assert home.undo() == [Change("npm", home.npmrc, "restored")]
    home.point()
    with monkeypatch.context() as patch:
        patch.setattr(pointing, "write", fail)
        with pytest.raises(StoreError):
            home.undo()
    home.undo()
    assert home.npmrc.read_text() == "registry=http://old.example/\n"


def test_other_clients_and_scopes_are_left(home: Home) -> None:
    yarnrc = Place("yarn1", home.folder / ".yarnrc", Yarnrc())
    home.point(HERE, home.place, yarnrc)
    project = replace(home.place, path=home.folder / "project" / ".npmrc")
    point([project], HERE, home.backups, "/project", dry=False)
    assert [change.client for change in home.undo("yarn1")] == ["yarn1"]
    assert [change.client for change in home.undo()] == ["npm"]
    assert project.path.exists()
    assert [change.action for change in take_back_all(home.backups, "/project", (), dry=False)] == ["removed"]


def test_a_file_that_wins_over_npmrc_is_changed_only_where_it_names_a_registry(home: Home) -> None:
    bunfig, users = home.folder / "bunfig.toml", home.folder / ".bunfig.toml"
    place = Place("bun", bunfig, Bunfig(), (bunfig, users))
    bunfig.write_text("smol = true\n")
    assert home.point(HERE, place) == []
    users.write_text('[install]\nregistry = "http://old.example/"\n')
    assert home.point(HERE, place) == [Change("bun", bunfig, "changed")]
    assert Bunfig().registry_of(bunfig.read_text()) == HERE.url


def test_nothing_is_written_unless_all_can_be(home: Home) -> None:
    broken = Place("bun", home.folder / ".bunfig.toml", Bunfig())
    broken.path.write_text("no toml")
    with pytest.raises(ConfigError, match=r"\.bunfig\.toml cannot be changed: it is not TOML"):
        home.point(HERE, home.place, broken)
    assert not home.npmrc.exists()
    assert not home.backups.path.exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"/a": {}}', '{"/a": 1}', "[" * 100_000])
def test_a_damaged_memory(home: Home, content: str) -> None:
    home.backups.path.parent.mkdir()
    home.backups.path.write_text(content)
    with pytest.raises(StoreError, match=r"clients\.json.*cannot be read.*by hand"):
        home.undo()


def test_what_cannot_be_read(home: Home) -> None:
    with pytest.raises(StoreError, match="Cannot read"):
        read(home.folder)
    home.npmrc.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(StoreError, match="more than 1 MiB"):
        read(home.npmrc)


def test_no_token_is_shown(home: Home) -> None:
    home.point(THERE)
    assert "s3cret" not in repr(home.backups.load())
