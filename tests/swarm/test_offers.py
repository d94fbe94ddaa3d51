from collections.abc import Sequence
from pathlib import Path

import pytest

from libreseed.packages.integrity import sha512
from libreseed.swarm import offers
from libreseed.swarm.bundle import Member
from libreseed.swarm.offers import MIN_AGE, Offers
from libreseed.swarm.session import Session
from swarm.conftest import StartSession, seeded

now = 0.0


@pytest.fixture
async def session(start_session: StartSession) -> Session:
    return await start_session()


@pytest.fixture
def offered(session: Session, monkeypatch: pytest.MonkeyPatch) -> Offers:
    monkeypatch.setattr(offers, "MAX_OFFERS", 2)
    monkeypatch.setitem(globals(), "now", 0.0)
    return Offers(session, lambda: now)


def offer(offered: Offers, *numbers: int) -> bytes:
    members: Sequence[Member] = [Member(sha512(bytes([each])), 100, bytes([each] * 32)) for each in numbers]
    return offered.offer(members, [Path(f"/nowhere/{each}") for each in numbers])


async def test_the_same_blobs_are_one_torrent(offered: Offers, session: Session) -> None:
    assert offer(offered, 1, 2) == offer(offered, 2, 1) != offer(offered, 1, 3)
    assert seeded(session) == {offer(offered, 1, 2), offer(offered, 1, 3)}


async def test_what_was_just_asked_for_is_not_driven_out(offered: Offers, session: Session) -> None:
    there = {offer(offered, 1, 2), offer(offered, 1, 3)}
    assert offer(offered, 1, 4) == b""
    assert seeded(session) == there


async def test_what_was_asked_for_longest_ago_makes_room(
    offered: Offers, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, kept = offer(offered, 1, 2), offer(offered, 1, 3)
    monkeypatch.setitem(globals(), "now", MIN_AGE)
    assert offer(offered, 1, 2) == old, "and this one was asked for again"
    new = offer(offered, 1, 4)
    assert new
    assert seeded(session) == {old, new}
    assert kept not in seeded(session)


async def test_a_blob_that_has_gone_is_in_no_bundle(offered: Offers, session: Session) -> None:
    offer(offered, 1, 2)
    other = offer(offered, 3, 4)
    offered.forget(sha512(bytes([1])))
    assert seeded(session) == {other}
    assert offer(offered, 5, 6), "there is room again"
