from libreseed.packages.access import read_access
from libreseed.packages.integrity import sha512
from libreseed.publishing.withholding import find_withheld
from support.packages import make_tarball
from support.running import Local, StartNode


async def test_what_a_rule_keeps_back(start_node: StartNode) -> None:
    """The tarball and the snapshot of a package, whether it was published here or fetched from its publisher."""
    node: Local = await start_node()
    await node.log_in()
    for name in ("@acme/tool", "open"):
        assert (await node.publish(name, "1.0.0")).status == 201
    catalogue, records = node.node.stores.catalogue, node.node.stores.records
    signed = await records.find_signed("@acme/tool")
    assert signed is not None
    withheld = {sha512(make_tarball("@acme/tool", "1.0.0")), signed.snapshot}
    rules = read_access({"@acme/*": {"read": ["$authenticated"]}}, {})
    assert await find_withheld(rules, catalogue, records) == withheld
    assert await find_withheld(read_access({}, {}), catalogue, records) == set()
