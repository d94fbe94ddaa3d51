import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from libreseed.delivery.metadata.packuments import FoundPackument
from libreseed.errors import StoreError
from libreseed.registry.packages import prepared
from libreseed.registry.packages.prepared import Prepared, PreparedPackuments
from libreseed.store.database import Database
from libreseed.store.tables.prepared import PreparedForm, PreparedStore
from support.packages import manifest_of

URL = "http://localhost:4880"


def found(revision: bytes = b"1", name: str = "pkg", filler: str = "") -> FoundPackument:
    versions = {"1.0.0": manifest_of(name, "1.0.0", b"tarball")}
    packument = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": versions, "readme": filler}
    return FoundPackument(name, orjson.dumps(packument), "store", revision)


class Counted:
    """Counts the calls of functions of the module."""

    def __init__(self, patch: pytest.MonkeyPatch, *names: str) -> None:
        self.calls: list[str] = []
        for name in names:
            patch.setattr(prepared, name, self._counting(name, getattr(prepared, name)))

    def _counting(self, name: str, function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            self.calls.append(name)
            return function(*arguments)

        return call


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[PreparedStore]:
    database = await Database.open(tmp_path / "database")
    yield PreparedStore(database)
    await database.close()


async def read(forms: PreparedPackuments, packument: FoundPackument, coding: str) -> tuple[Prepared, bytes]:
    form = await forms.get(packument, short=False, base_url=URL)
    return form, await forms.coded(form, coding)


async def test_all_codings_are_the_same_packument(store: PreparedStore) -> None:
    forms = PreparedPackuments(store)
    form, plain = await read(forms, found(), "identity")
    assert orjson.loads(plain)["versions"]["1.0.0"]["dist"]["tarball"] == f"{URL}/pkg/-/pkg-1.0.0.tgz"
    assert gzip.decompress((await read(forms, found(), "gzip"))[1]) == plain
    assert zstandard.decompress((await read(forms, found(), "zstd"))[1]) == plain
    assert (await read(forms, found(), "zstd"))[0] is form


@pytest.mark.parametrize("filler", ["", "x" * 500_000])
async def test_each_is_made_once_however_many_ask(
    store: PreparedStore, monkeypatch: pytest.MonkeyPatch, filler: str
) -> None:
    counted = Counted(monkeypatch, "_prepare", "_gzip")
    forms = PreparedPackuments(store)
    packument = found(filler=filler)
    answers = await asyncio.gather(*(read(forms, packument, "gzip") for _ in range(9)))
    assert len({answer[1] for answer in answers}) == 1
    assert counted.calls == ["_prepare", "_gzip"]
    assert forms._making == {}


async def test_another_revision_is_made_anew(store: PreparedStore) -> None:
    size = (await read(PreparedPackuments(store), found(filler="new"), "gzip"))[0].size
    forms = PreparedPackuments(store, 2 * size)
    other = await forms.get(found(name="other"), short=False, base_url=URL)
    for number in range(9):
        old, _ = await read(forms, found(b"%d" % number), "gzip")
        new, body = await read(forms, found(b"new %d" % number, filler="new"), "identity")
        assert (old.etag != new.etag, b"new" in body) == (True, True)
    assert await forms.get(found(name="other"), short=False, base_url=URL) is other, "the old ones take no room"


async def test_large_ones_are_kept_over_a_restart(store: PreparedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    large, small = found(filler="x" * 500_000), found(name="small")
    first = PreparedPackuments(store)
    before = [await read(first, packument, "gzip") for packument in (large, small)]
    counted = Counted(monkeypatch, "_prepare", "_gzip")
    second = PreparedPackuments(store)
    after = [await read(second, packument, "gzip") for packument in (large, small)]
    assert counted.calls == ["_prepare", "_gzip"], "of the small one"
    assert [(form.etag, form.modified, body) for form, body in before] == [
        (form.etag, form.modified, body) for form, body in after
    ]


async def test_memory_is_bounded(store: PreparedStore) -> None:
    sizes = [(await read(PreparedPackuments(store), found(name=f"pkg{n}"), "gzip"))[0].size for n in range(5)]
    forms = PreparedPackuments(store, sum(sizes[-2:]) + 1)
    packuments = [found(name=f"pkg{number}") for number in range(5)]
    first = [(await read(forms, packument, "gzip"))[0] for packument in packuments]
    for number in (4, 3):
        assert (await read(forms, packuments[number], "gzip"))[0] is first[number]
    for number in (2, 1, 0):
        assert (await read(forms, packuments[number], "gzip"))[0] is not first[number]


async def test_a_store_that_fails_stops_nobody(store: PreparedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: PreparedForm) -> None:
        raise StoreError("full")

    monkeypatch.setattr(store, "save", fail)
    assert (await read(PreparedPackuments(store), found(filler="x" * 500_000), "gzip"))[1]
