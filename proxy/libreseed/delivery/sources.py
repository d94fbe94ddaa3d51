"""Where an answer came from: the word in `X-Libreseed-Source`, in the log and in the counters."""

from collections import Counter
from typing import Literal, get_args

Source = Literal["store", "swarm", "upstream", "stale"]
SOURCES: tuple[Source, ...] = get_args(Source)


class SourceCounter:
    """How many packuments and tarballs were served from where, since the start."""

    def __init__(self) -> None:
        self._counts: Counter[Source] = Counter()

    def add(self, source: Source) -> None:
        """Count one answer."""
        self._counts[source] += 1

    def as_json(self) -> dict[str, int]:
        """Return the counts by source, zeros included."""
        return {source: self._counts[source] for source in SOURCES}
