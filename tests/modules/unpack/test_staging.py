from pathlib import Path

from libreseed.modules.lock.entry import LockedPackage
from libreseed.modules.unpack import staging as staging_module
from libreseed.modules.unpack.staging import Staging

A = LockedPackage("node_modules/a", "a", "1.0.0", bytes(64), "a-1.0.0.tgz")
OTHER_BYTES = LockedPackage("node_modules/a", "a", "1.0.0", b"x" * 64, "a-1.0.0.tgz")


def unpacked(folder):
    staging = Staging(folder)
    staging.open()
    Path(staging.part(A)).mkdir()
    return staging


def test_what_is_whole_is_there_the_next_time_and_what_is_not_is_gone(tmp_path):
    staging = unpacked(tmp_path / "s")
    staging.finish(A)
    Path(staging.part(A)).mkdir()
    again = Staging(tmp_path / "s")
    again.open()
    assert Path(again.place(A)).is_dir()
    assert not Path(again.part(A)).exists()
    assert not Path(again.place(OTHER_BYTES)).exists()


def test_after_a_restart_of_the_machine_nothing_is_trusted(tmp_path, monkeypatch):
    unpacked(tmp_path / "s").finish(A)
    (tmp_path / "boot_id").write_text("another")
    monkeypatch.setattr(staging_module, "_BOOT_ID", tmp_path / "boot_id")
    again = Staging(tmp_path / "s")
    again.open()
    assert not Path(again.place(A)).exists()


def test_where_nobody_knows_of_restarts_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(staging_module, "_BOOT_ID", tmp_path / "none")
    unpacked(tmp_path / "s").finish(A)
    again = Staging(tmp_path / "s")
    again.open()
    assert not Path(again.place(A)).exists()


def test_what_is_dropped_is_what_was_not_finished(tmp_path):
    staging = unpacked(tmp_path / "s")
    staging.finish(A)
    Path(staging.part(A)).mkdir()
    staging.drop_parts()
    assert Path(staging.place(A)).is_dir()
    assert not Path(staging.part(A)).exists()
    staging.clear()
    staging.drop_parts()
