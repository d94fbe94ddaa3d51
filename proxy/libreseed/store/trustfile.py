"""The trust file, `trust.json` in the state folder. A running node applies a change of it at once."""

from collections.abc import Callable
from pathlib import Path

from libreseed.errors import InvalidInputError, StoreError
from libreseed.store.files import write_atomically
from libreseed.trust.rules import TrustRules


class TrustFile:
    """The trust rules in a file, which is parsed again when a `stat` shows that it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int, int] | None = None
        self._rules = TrustRules()

    def rules(self) -> TrustRules:
        """Return the rules in force (blocking: one `stat`). Without a file nothing is trusted. Raises StoreError for a
        file that cannot be read or is malformed."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._stamp, self._rules = None, TrustRules()
            return self._rules
        except OSError as error:
            raise self._broken(error) from error
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp != self._stamp:
            try:
                self._rules = TrustRules.decode(self.path.read_bytes())
            except (InvalidInputError, OSError) as error:
                raise self._broken(error) from error
            self._stamp = stamp
        return self._rules

    def change(self, function: Callable[[TrustRules], TrustRules]) -> TrustRules:
        """Replace the rules by `function(rules)`. Raises what `function` raises, and StoreError."""
        rules = function(self.rules())
        write_atomically(self.path, rules.encode())
        return rules

    def _broken(self, error: Exception) -> StoreError:
        return StoreError(
            f"The trust file {self.path} cannot be read: {error}.", hint="Mend it, or delete it to trust nothing."
        )
