import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from libreseed.concurrency.single_flight import SingleFlight
from libreseed.publishing.mirroring import Mirroring, Worker
from libreseed.store.tables.packuments import UPSTREAM, StoredPackument
from libreseed.trust.snapshot import Snapshot
from publishing.conftest import Desk
from support.running import eventually


def packument(name: str) -> dict[str, Any]:
    return {"name": name, "versions": {}, "dist-tags": {}}


def stored(name: str) -> StoredPackument:
    return StoredPackument(name, UPSTREAM, orjson.dumps(packument(name)), {}, None, None, False, 0.0)


@asynccontextmanager
async def running(mirroring: Mirroring, *others: Worker) -> AsyncIterator[None]:
    task = asyncio.create_task(mirroring.run(others))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_came_from_the_upstream_is_signed_and_found(desk: Desk) -> None:
    mirroring = Mirroring(desk.signer)
    async with running(mirroring):
        mirroring.add(stored("pkg"))
        mirroring.add(stored("other"))
        assert mirroring.waiting == 2
        await eventually(lambda: not mirroring.waiting)
    for name in ("pkg", "other"):
        (item,) = await desk.overlay.find_records(name)
        assert item == (await desk.signer.sign("mirror", Snapshot(packument(name))))


async def test_it_stands_back_while_others_are_busy(desk: Desk) -> None:
    fetching: SingleFlight[str, None] = SingleFlight()
    mirroring = Mirroring(desk.signer)

    async def work() -> None:
        for number in range(5):  # each takes as long as what is mirrored would
            await desk.signer.sign("package", Snapshot(packument(f"busy-{number}")))
        assert mirroring.waiting == 1

    async with running(mirroring, fetching):
        task = fetching.start("work", work)
        mirroring.add(stored("pkg"))
        await eventually(lambda: not mirroring.waiting)
        assert task.done()
        await task


async def test_a_node_that_is_always_busy_mirrors_all_the_same(desk: Desk) -> None:
    fetching: SingleFlight[str, None] = SingleFlight()
    forever = asyncio.Event()

    async def work() -> None:
        await forever.wait()

    mirroring = Mirroring(desk.signer, longest_wait=0.01)
    async with running(mirroring, fetching):
        task = fetching.start("work", work)
        mirroring.add(stored("pkg"))
        await eventually(lambda: not mirroring.waiting)
        assert not task.done()
    await fetching.close()
