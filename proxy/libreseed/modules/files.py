"""Writing files that others may read at the same time."""

from pathlib import Path


def write_whole(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Replace a file by a new one, with the permissions `mode` if given, so that readers see the old or the new
    content, never a part. Raises OSError."""
    staged = path.with_name(f".{path.name}.libreseed")
    staged.write_bytes(data)
    if mode is not None:
        staged.chmod(mode)
    staged.replace(path)
