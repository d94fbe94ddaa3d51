"""Security advisories of the upstream, which is asked only about packages of its own.

Source: npm's `@npmcli/arborist` and `npm-audit-report`. Answers are not stored: advisories change daily, and an
outdated "nothing found" would be worse than no answer.
"""

import time
from typing import Any

import orjson
from cachetools import TTLCache

from libreseed.delivery.metadata.ownership import Ownership
from libreseed.errors import InvalidInputError, LibreseedError, NotFoundError, UnavailableError
from libreseed.upstream.client import Upstream

BULK = "-/npm/v1/security/advisories/bulk"
AUDITS = "-/npm/v1/security/audits"
QUICK = "-/npm/v1/security/audits/quick"
_KINDS = (BULK, AUDITS, QUICK)

_ANSWER_BYTES = 32 << 20
_TIMES = 3


class Advisories:
    """Forwards audits to the upstream. A client waits at most `max_wait` seconds, and not at all within `again` seconds
    after a failure. An install, which audits `in_passing`, waits for three times the duration of the last answer, but
    at least `brief` seconds."""

    def __init__(
        self,
        ownership: Ownership,
        upstream: Upstream | None,
        *,
        max_wait: float = 10.0,
        brief: float = 1.0,
        again: float = 60.0,
    ) -> None:
        self._ownership = ownership
        self._upstream = upstream
        self._max_wait = max_wait
        self._brief = brief
        self._took = 0.0
        self._failures: TTLCache[str, LibreseedError] = TTLCache(len(_KINDS), again)

    async def bulk(self, body: object, *, in_passing: bool = False) -> bytes:
        """Return the advisories, as JSON, for `{name: [version, …]}`.

        Raises NotFoundError: there is no upstream, or it has no advisories; UnavailableError and what else
        `Upstream.document` raises; InvalidInputError for another body.
        """
        if not isinstance(body, dict):
            raise InvalidInputError("A bulk audit is an object of versions by package name.")
        wanted = {name: body[name] for name in body if await self._is_upstreams(name)}
        return await self._ask(BULK, wanted, in_passing=in_passing)

    async def audit(self, path: str, body: object, *, in_passing: bool = False) -> bytes:
        """Return the report, as JSON, for a tree as in a lock file of version 1. `path`: AUDITS or QUICK.

        npm 10 sends no `dependencies` where its lock file is of version 3. Raises as `bulk`.
        """
        if not isinstance(body, dict) or not isinstance(body.get("dependencies", {}), dict):
            raise InvalidInputError("An audit is a tree of dependencies.")
        return await self._ask(path, await self._tree(body), in_passing=in_passing)

    async def _is_upstreams(self, name: str) -> bool:
        return self._ownership.is_upstreams(name) and not await self._ownership.is_private(name)

    async def _tree(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the tree without the packages that are not the upstream's, and those nested in them."""
        root: dict[str, Any] = {}
        waiting = [(body, root)]
        while waiting:
            node, kept = waiting.pop()
            kept |= node
            for key in ("requires", "dependencies"):
                names = node.get(key)
                if isinstance(names, dict):
                    kept[key] = {name: names[name] for name in names if await self._is_upstreams(name)}
            dependencies = kept.get("dependencies")
            if isinstance(dependencies, dict):
                for name, dependency in dependencies.items():
                    if isinstance(dependency, dict):
                        dependencies[name] = {}
                        waiting.append((dependency, dependencies[name]))
        if isinstance(body.get("name"), str) and not await self._is_upstreams(body["name"]):
            del root["name"]
        return root

    async def _ask(self, path: str, body: dict[str, Any], *, in_passing: bool) -> bytes:
        if self._upstream is None:
            raise NotFoundError("No security advisories: this server has no upstream registry to ask for them.")
        failure = self._failures.get(path)
        if failure is not None:
            raise failure.with_traceback(None)
        max_wait = min(max(self._brief, _TIMES * self._took), self._max_wait) if in_passing else self._max_wait
        started = time.monotonic()
        try:
            answer = await self._upstream.document(path, limit=_ANSWER_BYTES, timeout=max_wait, body=orjson.dumps(body))
        except NotFoundError as error:
            absent = NotFoundError(f"No security advisories: {error.message}", hint=error.hint)
            self._failures[path] = absent
            raise absent from error
        except UnavailableError as error:
            # npm asks for another kind of audit when one fails, and would wait for it again.
            failed = UnavailableError(f"No security advisories now: {error.message}", hint=error.hint)
            for kind in _KINDS:
                self._failures[kind] = failed
            raise failed from error
        self._took = time.monotonic() - started
        return answer
