"""The packages that the demo publishes and runs."""

import shutil
from pathlib import Path

from libreseed.resources import resource_folder


def copy_example(name: str, target: Path) -> Path:
    """Copy the example `name` to the new folder `target` and return that. Raises StoreError when it is missing."""
    return Path(shutil.copytree(resource_folder(f"demo/examples/{name}", f"examples/demo/{name}"), target))
