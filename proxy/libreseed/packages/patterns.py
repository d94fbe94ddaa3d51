"""Patterns of packages and versions: `left-pad`, `@evil/*`, `chalk@5.6.1`, `debug@>=4.4.2 <4.4.3` (docs/policy.md)."""

from dataclasses import dataclass
from functools import lru_cache

from nodesemver import Range, make_range, make_semver

from libreseed.errors import InvalidInputError
from libreseed.packages.names import check_pattern, matches

_LENGTH = 1000
_EVERY = ("", "*")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A name, in which `*` stands for any characters, and an npm range, "" for every version. `text` is the pattern as
    the user wrote it."""

    text: str
    name: str
    range: str = ""

    def names(self, name: str) -> bool:
        """Tell whether the pattern's name matches `name`, so that it may cover versions of it."""
        return matches(name, self.name)

    def covers(self, name: str, version: str, *, doubtful: bool) -> bool:
        """Tell whether the pattern covers a version.

        With `doubtful`, as for rules that refuse, a version that is none by semver is covered, and a prerelease is when
        it lies between the bounds of the range. Without, as for exceptions, only what npm's range means is covered.
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
    """Return the pattern of a text. Raises InvalidInputError: no name, no npm range, or over 1000 characters."""
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
