"""Sets the registry in the clients' configuration files, and undoes that."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from libreseed.clients.backup import Backup, BackupFile, read, write
from libreseed.clients.endpoint import Endpoint
from libreseed.clients.places import Place
from libreseed.errors import ConfigError, StoreError


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to a file.

    `action`: `created`, `changed` or `unchanged` by `point`; by `take_back_all` `restored`, `removed`, `gone` (the file
    no longer exists) or `merged` (edits made since are kept). `former` is the registry that the file named before, if
    any. `complete` is false when lines of the change were edited since and therefore not undone.
    """

    client: str
    path: Path
    action: str
    former: str | None = None
    complete: bool = True


def point(places: Iterable[Place], endpoint: Endpoint, backups: BackupFile, scope: str, *, dry: bool) -> list[Change]:
    """Set the registry of the files to `endpoint`, with backups (blocking). With `dry`, only return what would be done.

    Nothing is written unless all files can be changed. Raises ConfigError: a file has a form that cannot be changed
    safely; StoreError.
    """
    entries, texts = backups.load(), dict[Path, str]()
    changes = []
    for place in places:
        path = place.path.resolve()
        current = read(path)
        try:
            if place.rivals and not any(place.format.registry_of(read(rival) or "") for rival in place.rivals):
                continue
            known = entries.get(path)
            before = current if known is None else known.former(current)[0]
            text = place.format.point(current or "", endpoint)
            former = place.format.registry_of(before or "")
        except ConfigError as error:
            raise ConfigError(
                f"{place.path} cannot be changed: {error.message}.",
                hint=f"Set its registry to {endpoint.url} by hand, or name the other clients with --client.",
            ) from error
        action = "unchanged" if text == current else "changed" if current is not None else "created"
        changes.append(Change(place.client, place.path, action, former))
        if action != "unchanged":
            texts[path] = text
            entries[path] = Backup(place.client, known.scope if known else scope, before, text)
    if not dry and texts:
        # Backups are written before the files, so that an interruption in between loses nothing.
        backups.save(entries)
        for path, text in texts.items():
            write(path, text)
    return changes


def take_back_all(backups: BackupFile, scope: str, clients: Collection[str], *, dry: bool) -> list[Change]:
    """Undo the changes in the files of `scope` (blocking), of these clients or, if there are none, of all. With `dry`,
    only return what would be done. Raises StoreError."""
    entries = backups.load()
    changes = []
    for path, backup in list(entries.items()):
        if backup.scope != scope or (clients and backup.client not in clients):
            continue
        current = read(path)
        text, complete = backup.former(current)
        action = "merged"
        if current is None:
            action = "gone"
        elif text is None:
            action = "removed"
        elif text == backup.before:
            action = "restored"
        if not dry:
            _put_back(path, text, current)
        del entries[path]
        changes.append(Change(backup.client, path, action, complete=complete))
    if changes and not dry:
        backups.save(entries)
    return changes


def _put_back(path: Path, text: str | None, current: str | None) -> None:
    if text is not None and text != current:
        write(path, text)
    elif text is None and current is not None:
        try:
            path.unlink()
        except OSError as error:
            raise StoreError(f"Cannot remove {path}: {error.strerror}.") from error
