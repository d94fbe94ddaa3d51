"""Publisher keys on disk: `keys/<name>.key`, the hex seed and nothing else, readable by their owner alone."""

import re
from pathlib import Path

from libreseed.errors import ConflictError, InvalidInputError, NotFoundError, StoreError
from libreseed.store.files import write_atomically
from libreseed.trust.keys import PrivateKey

DEFAULT = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_MODE = 0o600


class Keyring:
    """The keys in one folder. Every method reads or writes files (blocking) and may raise StoreError; those that take a
    name raise InvalidInputError for one that is not 1 to 64 of `A-Za-z0-9._-`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def default(self) -> PrivateKey:
        """Return the key that this node signs with, made on first use."""
        try:
            return self.load(DEFAULT)
        except NotFoundError:
            return self.save(DEFAULT, PrivateKey.generate())

    def load(self, name: str) -> PrivateKey:
        """Return the key of that name. Raises NotFoundError when there is none."""
        path = self._path(name)
        try:
            return PrivateKey.parse(path.read_text())
        except FileNotFoundError:
            raise NotFoundError(f"There is no key {name!r}.", hint="See: libreseed keys list") from None
        except InvalidInputError as error:
            raise StoreError(f"The key file {path} is damaged.", hint="Restore it from a backup.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"Cannot read the key file {path}: {error}.") from error

    def save(self, name: str, key: PrivateKey) -> PrivateKey:
        """Store a key and return it. Raises ConflictError when there is another one of that name."""
        path = self._path(name)
        if path.exists() and self.load(name) != key:
            raise ConflictError(
                f"There is another key {name!r}; it would be lost.", hint="Choose another name, or move that file away."
            )
        write_atomically(path, key.seed.hex().encode() + b"\n", _MODE)
        return key

    def list(self) -> dict[str, PrivateKey]:
        """Return all keys by name."""
        return {path.stem: self.load(path.stem) for path in sorted(self._folder.glob("*.key"))}

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise InvalidInputError(f"{name!r} is not a name for a key.", hint="Use letters, digits, '.', '_' and '-'.")
        return self._folder / f"{name}.key"
