"""The folders of plain files that LibreSeed ships beside its code, such as templates and examples."""

from pathlib import Path

from libreseed.errors import StoreError


def resource_folder(packed: str, source: str) -> Path:
    """Return a folder: the wheel has it at `packed` in the package, a source checkout at `source` from its top.

    Raises StoreError when the installation lacks it.
    """
    package = Path(__file__).parent
    for folder in (package / packed, package.parents[1] / source):
        if folder.is_dir():
            return folder
    raise StoreError(f"The files of {source!r} are missing from this installation.", hint="Install libreseed again.")
