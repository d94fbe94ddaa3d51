"""The packages that the demo publishes and runs."""

import shutil
from importlib import resources
from pathlib import Path

from libreseed.errors import StoreError


def copy_example(name: str, target: Path) -> Path:
    """Copy the example `name` to the new folder `target` and return that. Raises StoreError when it is missing."""
    package = Path(str(resources.files("libreseed")))
    for folder in (package / "demo" / "examples", package.parents[1] / "examples" / "demo"):
        if (folder / name).is_dir():
            return Path(shutil.copytree(folder / name, target))
    raise StoreError(f"The example {name!r} is missing from this installation.", hint="Install libreseed again.")
