"""Small results that are slow to come by, kept in the user's cache folder from one command to the next."""

import os
import tempfile
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson


def recall(file: Path, key: Hashable) -> Any:
    """Return what was kept in `file` under this very key, else None. Blocks."""
    try:
        kept = orjson.loads(file.read_bytes())
        return kept["value"] if kept["key"] == repr(key) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(file: Path, key: Hashable, value: Any) -> None:
    """Keep a JSON value in `file`, in the place of what was there. Blocks.

    A cache that cannot be written stays empty.
    """
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(orjson.dumps({"key": repr(key), "value": value}))
            Path(name).replace(file)
        except OSError:
            Path(name).unlink()
            raise
