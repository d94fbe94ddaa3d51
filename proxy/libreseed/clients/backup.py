"""Backups of the clients' configuration files from before they were changed.

They are in one JSON file in the user's data folder, not below a node's root, because nodes read it too. It has mode
600, since the files may contain tokens.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from libreseed.clients.lines import take_back
from libreseed.config import Settings, default_root
from libreseed.errors import StoreError
from libreseed.store.files import write_atomically

MAX_FILE = 1 << 20
"""Bytes of a configuration file that is read."""

USER = "user"


@dataclass(frozen=True, slots=True)
class Backup:
    """A changed file. `before` is its former text, None when there was no file; `after` its text with the change.

    `scope` is `user`, or the folder of the project whose file it is.
    """

    client: str
    scope: str
    before: str | None = field(repr=False)
    after: str = field(repr=False)

    def former(self, current: str | None) -> tuple[str | None, bool]:
        """Return the file's text once the change is undone in its `current` text, None for no file in either place, and
        whether all of the change was undone."""
        if current is None or current in (self.before, self.after):
            return (None if current is None else self.before), True
        text, complete = take_back(self.before or "", self.after, current)
        return text if text or self.before is not None else None, complete


class BackupFile:
    """The file of all backups, by the resolved paths (without symbolic links) of the files."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or Settings(default_root()).state_dir / "clients.json"

    def load(self) -> dict[Path, Backup]:
        """Return the backups by file (blocking). Raises StoreError when the file of backups is damaged."""
        try:
            saved = json.loads(self.path.read_bytes())
            return {Path(path): Backup(**fields) for path, fields in saved.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise StoreError(
                f"{self.path}, what your package managers were set to before, cannot be read: {error}.",
                hint="Set their registry by hand, then delete that file.",
            ) from error

    def save(self, entries: Mapping[Path, Backup]) -> None:
        """Replace all backups by `entries` (blocking). Raises StoreError."""
        saved = {str(path): asdict(backup) for path, backup in entries.items()}
        write_atomically(self.path, json.dumps(saved, indent=1).encode(), 0o600)

    def former(self, path: Path) -> str | None:
        """Return the text of a file with its change undone, None for no file (blocking). Raises StoreError."""
        path, current = path.resolve(), read(path)
        backup = self.load().get(path)
        return current if backup is None else backup.former(current)[0]


def read(path: Path) -> str | None:
    """Return the text of a file, None when there is none (blocking). `encode` restores bytes that are not UTF-8.

    Raises StoreError: it cannot be read, or has more than 1 MiB.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"Cannot read {path}: {error.strerror}.") from error
    if len(data) > MAX_FILE:
        raise StoreError(f"{path} has more than 1 MiB: that is no configuration file.")
    return data.decode(errors="surrogateescape")


def write(path: Path, text: str) -> None:
    """Replace a file, keeping its mode; a new one is readable by the user alone (blocking). Raises StoreError."""
    try:
        mode = path.stat().st_mode & 0o7777
    except OSError:
        mode = 0o600  # a client may write a token to it
    write_atomically(path, encode(text), mode)


def encode(text: str) -> bytes:
    """Return the bytes of a text that `read` returned."""
    return text.encode(errors="surrogateescape")
