import pytest

from libreseed.modules.tree import exchange as exchange_module
from libreseed.modules.tree.exchange import exchange


@pytest.fixture(params=[True, False], ids=["one call", "two renames"])
def folders(request, tmp_path, monkeypatch):
    if not request.param:
        monkeypatch.setattr(exchange_module, "_exchange_at_once", lambda new, current: False)
    for name in ("new", "current"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    return tmp_path / "new", tmp_path / "current"


def test_the_two_change_places(folders):
    new, current = folders
    exchange(new, current)
    assert (current / "file").read_text() == "new"
    assert (new / "file").read_text() == "current"
    assert sorted(path.name for path in new.parent.iterdir()) == ["current", "new"]


def test_the_first_tree_just_moves_in(folders):
    new, current = folders
    (current / "file").unlink()
    current.rmdir()
    exchange(new, current)
    assert (current / "file").read_text() == "new"
    assert not new.exists()


def test_what_was_there_stays_when_there_is_nothing_new(folders):
    new, current = folders
    (new / "file").unlink()
    new.rmdir()
    with pytest.raises(OSError, match="No such file"):
        exchange(new, current)
    assert (current / "file").read_text() == "current"
