"""Composes the client of the upstream from npm's configuration and the configuration file."""

import asyncio
import os
from contextlib import AsyncExitStack

from libreseed.config import Settings
from libreseed.upstream.client import Upstream
from libreseed.upstream.declared import read_declared
from libreseed.upstream.limits import Limits
from libreseed.upstream.npmrc import ListenAddress, read_settings
from libreseed.upstream.settings import UpstreamSettings


async def open_upstream(settings: Settings, *, http_port: int, node_id: str, stack: AsyncExitStack) -> Upstream | None:
    """Return the client of the upstream registries, None when there are none; the `stack` closes it.

    `http_port` is this node's own, which is refused as an upstream. `node_id` is sent in `X-Libreseed-Via`. Raises
    ConfigError.
    """
    own = ListenAddress(settings.host, http_port)
    declared = await asyncio.to_thread(read_declared, settings.upstreams, own, os.environ)
    if settings.upstream == "none" and not declared:
        return None
    upstream = Upstream(
        UpstreamSettings(None) if settings.upstream == "none" else lambda: read_settings(settings.upstream, own),
        declared,
        node_id=node_id,
        limits=Limits().within(settings.upstream_timeout),
        offline=settings.offline,
    )
    stack.push_async_callback(upstream.close)
    return upstream
