"""What neighbours are asked about one blob."""

import asyncio
from collections.abc import AsyncGenerator
from typing import NamedTuple

from libreseed.network.addresses import Address


class Holder(NamedTuple):
    """Who says that he holds a blob, by his overlay address, his packed claim (see `claims`), and how many other nodes
    asked him for anything lately."""

    address: Address
    claim: bytes
    others: int


class Question:
    """Who holds one blob: for several who want to know."""

    def __init__(self) -> None:
        self.found: list[Holder] = []
        self._has_ended = False
        self._changed = asyncio.Event()

    async def answers(self) -> AsyncGenerator[Holder, None]:
        """Yield those who say that they hold it, as their answers come, until the end."""
        told = 0
        while True:
            while told < len(self.found):
                told += 1
                yield self.found[told - 1]
            if self._has_ended:
                return
            self._changed.clear()
            await self._changed.wait()

    def answer(self, holder: Holder) -> None:
        """This one says that he holds it."""
        self.found.append(holder)
        self._changed.set()

    def end(self) -> None:
        """No more answers are waited for."""
        self._has_ended = True
        self._changed.set()
