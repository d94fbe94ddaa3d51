from typing import Any

import orjson
import pytest

from libreseed.store.database import Database
from libreseed.store.tables.listings import ListingStore
from libreseed.store.tables.packuments import UPSTREAM, PackumentStore, StoredPackument
from libreseed.store.tables.publications import PublicationStore
from libreseed.trust.snapshot import Snapshot


def packument(name: str, description: str = "", **manifest: Any) -> dict[str, Any]:
    versions = {"1.0.0": {"description": description, "dist": {}, **manifest}}
    return {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": versions}


async def save(database: Database, *packuments: dict[str, Any], restricted: bool = False) -> None:
    for content in packuments:
        body = orjson.dumps(content)
        await PackumentStore(database).save(
            StoredPackument(content["name"], UPSTREAM, body, {}, None, None, restricted, 1.0)
        )


async def find(database: Database, *terms: tuple[str | None, str] | str) -> list[str]:
    store = ListingStore(database)
    while await store.update(2):
        pass
    pairs = [(None, term) if isinstance(term, str) else term for term in terms]
    return [found.name for found in await store.find(pairs, 10)]


async def test_words_in_any_field(database: Database) -> None:
    await save(
        database,
        packument("left-pad", "Pads a string."),
        packument("@acme/http", "A server.", keywords=["web", "left"]),
        packument("other"),
    )
    assert await find(database, "left") == ["left-pad", "@acme/http"], "a name counts more"
    assert await find(database, "PAD") == ["left-pad"]
    assert await find(database, "acm") == ["@acme/http"]
    assert await find(database, "left", "server") == ["@acme/http"]
    assert await find(database, ("keywords", "left")) == ["@acme/http"]
    assert await find(database, "@acme/http") == ["@acme/http"]
    assert await find(database, "eft") == []
    assert await find(database) == ["@acme/http", "left-pad", "other"]


async def test_the_package_of_that_name_comes_first(database: Database) -> None:
    many = " ".join(f"word{number}" for number in range(100))
    await save(database, packument("@s/pack", "pack"), packument("pack", many), packument("pack-pack", "pack"))
    first, *others = await find(database, "pack")
    assert (first, set(others)) == ("pack", {"@s/pack", "pack-pack"})


@pytest.mark.parametrize("text", ['"', 'a" OR "b', "a*", "name:x", "(", "NEAR(", "-x", "^x", "\x00"])
async def test_a_text_is_no_query(database: Database, text: str) -> None:
    await save(database, packument("b"))
    assert await find(database, text) == []


async def test_what_changes_is_read_again(database: Database) -> None:
    await save(database, packument("pkg", "old"))
    assert await find(database, "old") == ["pkg"]
    await save(database, packument("pkg", "new"))
    assert (await find(database, "old"), await find(database, "new")) == ([], ["pkg"])
    await PackumentStore(database).confirm("pkg", 2.0)
    assert await database.rows("SELECT * FROM unlisted") == [], "a confirmation changes nothing"
    await database.execute("DELETE FROM packuments")
    assert await find(database, "new") == []


async def test_a_publication_comes_before_the_upstreams(database: Database) -> None:
    await save(database, packument("pkg", "theirs"))
    publications = PublicationStore(database)
    await publications.save(Snapshot(packument("pkg", "ours"), {}, ()), 0)
    assert (await find(database, "theirs"), await find(database, "ours")) == ([], ["pkg"])
    await publications.save(Snapshot(packument("pkg", "again"), {}, ()), 0)
    assert await find(database, "again") == ["pkg"]
    await database.execute("DELETE FROM publications")
    assert await find(database, "theirs") == ["pkg"]


async def test_what_a_match_says(database: Database) -> None:
    await save(database, packument("a"))
    await save(database, packument("b"), restricted=True)
    await PublicationStore(database).save(Snapshot(packument("c"), {}, ()), 0)
    store = ListingStore(database)
    await store.update()
    found = await store.find([], 10)
    assert [(one.name, one.origin, one.restricted) for one in found] == [
        ("a", UPSTREAM, False),
        ("b", UPSTREAM, True),
        ("c", None, False),
    ]
    assert found[0].package["version"] == "1.0.0"
    assert len(await store.find([], 2)) == 2
    assert await store.restricted(["a", "b", "c", "'"]) == {"b"}
