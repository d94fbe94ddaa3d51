from pathlib import Path

import orjson
import pytest

from libreseed.packages.integrity import sha512
from support.packages import make_tarball
from support.running import Answer, Local, StartNode, offer
from upstream.fake_registry import FakeRegistry

PATH = "/-/libreseed/prefetch"


@pytest.fixture
async def node(start_node: StartNode, upstream: FakeRegistry) -> Local:
    return await start_node(upstream=upstream.url)


def lines(answer: Answer) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in answer.body.splitlines()]


async def test_each_tarball_is_told_of_and_stands_in_the_store(node: Local, upstream: FakeRegistry) -> None:
    one, two = offer(upstream, "one", "1.0.0"), offer(upstream, "@s/two", "1.0.0")
    wanted = [["one", "one-1.0.0.tgz", sha512(one).hex()], ["@s/two", "two-1.0.0.tgz", sha512(two).hex()]]
    told = lines(await node.ask("POST", PATH, body=wanted))
    store, *arrivals, end = told
    assert sorted(arrivals, key=str) == [{"number": 0, "source": "upstream"}, {"number": 1, "source": "upstream"}]
    assert end == {}
    name = sha512(one).hex()
    assert Path(str(store["store"]), name[:2], name).read_bytes() == one
    assert {line.get("source") for line in lines(await node.ask("POST", PATH, body=wanted))[1:-1]} == {"store"}
    served = (await node.get("/-/libreseed/status")).json()["served"]
    assert (served["upstream"], served["store"]) == (2, 2)


async def test_one_that_is_not_to_be_had_spoils_none_of_the_others(node: Local, upstream: FakeRegistry) -> None:
    one = offer(upstream, "one", "1.0.0")
    wanted = [["none", "none-1.0.0.tgz", "00" * 64], ["one", "one-1.0.0.tgz", sha512(one).hex()]]
    told = sorted(lines(await node.ask("POST", PATH, body=wanted))[1:-1], key=lambda line: str(line["number"]))
    assert told[0]["status"] == 404
    assert "none" in str(told[0]["error"])
    assert told[1] == {"number": 1, "source": "upstream"}


async def test_other_bytes_than_the_lock_files_are_an_error(node: Local, upstream: FakeRegistry) -> None:
    offer(upstream, "one", "1.0.0")
    told = lines(await node.ask("POST", PATH, body=[["one", "one-1.0.0.tgz", "11" * 64]]))[1]
    assert told["status"] == 503


@pytest.mark.parametrize(
    "body",
    [{}, [1], [["a", "a.tgz"]], [["a", "a.tgz", "zz"]], [["a", "a.tgz", "00"]], [["a", "a.tgz", 1]], [[]] * 20_001],
)
async def test_what_is_no_list_of_tarballs_is_refused(node: Local, body: object) -> None:
    assert (await node.ask("POST", PATH, body=body)).status == 400


async def test_a_page_of_another_site_may_not_ask(node: Local) -> None:
    assert (await node.ask("POST", PATH, body=[], Origin="http://site.test")).status == 403


async def test_only_those_who_may_read_a_package_are_told_of_its_tarballs(start_node: StartNode) -> None:
    node = await start_node(access={"@acme/*": {"read": ["$authenticated"]}})
    await node.log_in()
    tarball = make_tarball("@acme/tool", "1.0.0")
    assert (await node.publish("@acme/tool", "1.0.0", tarball)).status == 201
    wanted = [["@acme/tool", "tool-1.0.0.tgz", sha512(tarball).hex()]]
    assert lines(await node.ask("POST", PATH, body=wanted))[1] == {"number": 0, "source": "store"}
    node.token = ""
    told = lines(await node.ask("POST", PATH, body=wanted))[1]
    assert told["status"] == 401
