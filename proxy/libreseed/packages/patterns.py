"""Patterns that mean versions of packages: `left-pad`, `@evil/*`, `chalk@5.6.1`, `debug@>=4.4.2 <4.4.3`."""

from dataclasses import dataclass
from functools import lru_cache

from nodesemver import Range, make_range, make_semver

from libreseed.errors import InvalidInputError
from libreseed.packages.names import check_pattern, matches

_LENGTH = 1000
_EVERY = ("", "*")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A name, `*` in it standing for any characters, and an npm range; `range` is "" for every version.

    `text` is how the user wrote it.
    """

    text: str
    name: str
    range: str = ""

    def names(self, name: str) -> bool:
        """Tell whether versions of `name` may be meant."""
        return matches(name, self.name)

    def covers(self, name: str, version: str, *, doubtful: bool) -> bool:
        """Tell whether this version is meant.

        `doubtful` is the answer for what npm's ranges leave open: a version that is none by semver. With it,
        prereleases count as the other versions between the bounds of the range do; without, as npm counts them.
        """
        if not self.names(name):
            return False
        if not self.range:
            return True
        try:
            # A parsed version is compared as it is; for a text nodesemver takes 1.0.0-rc.1 for 1.0.0 here.
            return bool(_parsed(self.range).test(make_semver(version, loose=True), include_prerelease=doubtful))
        except ValueError:
            return doubtful


def parse_pattern(text: object) -> Pattern:
    """Read a pattern. Raises InvalidInputError: no name, no range of npm's, or longer than 1000 characters."""
    if not isinstance(text, str) or not 0 < len(text) <= _LENGTH:
        raise InvalidInputError(f"{str(text)[:80]!r} is no pattern such as 'left-pad', '@scope/*' or 'chalk@5.6.1'.")
    rest, at, wanted = text[1:].partition("@")
    name, wanted = check_pattern(text[0] + rest), wanted.strip()
    if at and not wanted:
        raise InvalidInputError(f"{text!r} has no version or range after the '@'.")
    if wanted in _EVERY:
        return Pattern(text, name)
    try:
        make_range(wanted, loose=False)  # loose would leave out what it cannot read, and mean more
    except ValueError as error:
        raise InvalidInputError(f"{wanted!r} of {text!r} is no version and no range of npm's.") from error
    return Pattern(text, name, wanted)


@lru_cache(1000)
def _parsed(text: str) -> Range:
    return make_range(text, loose=True)
