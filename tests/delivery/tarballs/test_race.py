"""The swarm and the upstream: whoever is quicker, and nobody holds up the other."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

from libreseed.packages.integrity import format_integrity, sha512
from support.liar import lying_node
from support.running import StartNode, offer
from upstream.fake_registry import FakeRegistry

TARBALL = "/pkg/-/pkg-1.0.0.tgz"


async def test_a_liar_that_trickles_keeps_no_healthy_upstream_from_being_asked(
    start_node: StartNode, upstream: FakeRegistry, tmp_path: Path
) -> None:
    """Its first pieces come at once, and the last ones would come in some minutes."""
    tarball = offer(upstream, "pkg", "1.0.0")
    integrity = format_integrity(sha512(tarball))
    node = await start_node(upstream=upstream.url, hedge=5.0)
    with ExitStack() as stack:
        liar = lying_node(tmp_path / "liar", node.overlay, [integrity], data=bytes(8 << 20), upload_limit=40_000)
        await asyncio.to_thread(stack.enter_context, liar)
        async with asyncio.timeout(30):
            answer = await node.get(TARBALL, pacote_integrity=integrity)
        assert (answer.status, answer.source, answer.body) == (200, "upstream", tarball)
