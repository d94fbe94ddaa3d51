from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libreseed.store.database import Database
from libreseed.store.tables.seeders import SeederRow, SeederStore
from libreseed.swarm.reputation import Reputation
from libreseed.swarm.reputation_keeper import ReputationKeeper
from libreseed.trust.records import Endpoint

GIVER: Endpoint = ("192.0.2.1", 6881)
LIAR: Endpoint = ("2001:db8::2", 6882)


def keeper_of(database: Database, reputation: Reputation) -> ReputationKeeper:
    return ReputationKeeper(reputation, SeederStore(database), lambda: {GIVER: 0.25, LIAR: None})


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "libreseed.db")
    yield database
    await database.close()


async def test_the_next_session_knows_what_was_measured(database: Database) -> None:
    reputation = Reputation()
    reputation.note_delivered(GIVER, 1000)
    reputation.note_lie(LIAR)
    keeper = keeper_of(database, reputation)
    keeper.look()
    await keeper.save()

    later = Reputation()
    await keeper_of(database, later).open()
    assert [peer for peer, _ in later.best(9)] == [GIVER, LIAR]
    assert [(each.verified, each.lies) for _, each in later.best(9)] == [
        (pytest.approx(1000, rel=0.01), 0),
        (0, pytest.approx(1, rel=0.01)),
    ]
    assert [(each.uptime, each.latency) for _, each in later.best(9)] == [(1.0, 0.25), (0.0, 0.0)]
    assert not later.is_shunned(LIAR), "it is asked last, and shunned for minutes only"


async def test_a_clock_that_was_set_back_makes_nothing_count_more(database: Database) -> None:
    await SeederStore(database).save([SeederRow(*GIVER, 1e11, (1000.0, 0.0, 0.0, 0.0, 0.0, 0.0))])
    reputation = Reputation()
    await keeper_of(database, reputation).open()
    assert [each.verified for _, each in reputation.best(9)] == [pytest.approx(1000, rel=0.01)]


async def test_a_store_that_fails_costs_only_what_it_held(database: Database) -> None:
    await database.execute("DROP TABLE seeders")
    reputation = Reputation()
    keeper = keeper_of(database, reputation)
    await keeper.open()
    reputation.note_delivered(GIVER, 1)
    await keeper.save()
    assert [peer for peer, _ in reputation.best(9)] == [GIVER]
