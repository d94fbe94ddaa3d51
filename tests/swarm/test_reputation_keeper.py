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


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "libreseed.db")
    yield database
    await database.close()


async def test_the_next_session_knows_what_was_measured(database: Database) -> None:
    reputation = Reputation()
    reputation.note_delivered(GIVER, 1000)
    reputation.note_lie(LIAR)
    await ReputationKeeper(reputation, SeederStore(database)).save()

    later = Reputation()
    await ReputationKeeper(later, SeederStore(database)).open()
    assert [peer for peer, _ in later.best(9)] == [GIVER, LIAR]
    assert [(each.verified, each.lies) for _, each in later.best(9)] == [
        (pytest.approx(1000, rel=0.01), 0),
        (0, pytest.approx(1, rel=0.01)),
    ]
    assert not later.is_shunned(LIAR), "it is asked last, and shunned for minutes only"


async def test_a_clock_that_was_set_back_makes_nothing_count_more(database: Database) -> None:
    await SeederStore(database).save([SeederRow(*GIVER, 1000.0, 0.0, 1e11)])
    reputation = Reputation()
    await ReputationKeeper(reputation, SeederStore(database)).open()
    assert [each.verified for _, each in reputation.best(9)] == [pytest.approx(1000, rel=0.01)]


async def test_a_store_that_fails_costs_only_what_it_held(database: Database) -> None:
    await database.execute("DROP TABLE seeders")
    reputation = Reputation()
    keeper = ReputationKeeper(reputation, SeederStore(database))
    await keeper.open()
    reputation.note_delivered(GIVER, 1)
    await keeper.save()
    assert [peer for peer, _ in reputation.best(9)] == [GIVER]
