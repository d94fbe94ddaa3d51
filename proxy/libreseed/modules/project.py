"""A project on disk: its root, and the files and folders in it that LibreSeed uses."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from libreseed.config import MODULES_DIR
from libreseed.errors import InvalidInputError, NotFoundError


@dataclass(frozen=True, slots=True)
class Project:
    """A project. `root` is the absolute path of the folder with its package.json."""

    root: Path

    @property
    def manifest(self) -> Path:
        return self.root / "package.json"

    @property
    def lockfile(self) -> Path:
        """package-lock.json, or the npm-shrinkwrap.json that npm uses instead when there is one."""
        shrinkwrap = self.root / "npm-shrinkwrap.json"
        return shrinkwrap if shrinkwrap.is_file() else self.root / "package-lock.json"

    @property
    def folder(self) -> Path:
        """`.libreseed_modules`."""
        return self.root / MODULES_DIR

    @property
    def tree(self) -> Path:
        """`.libreseed_modules/node_modules`: what Node loads from."""
        return self.folder / "node_modules"

    @property
    def register(self) -> Path:
        """The script that, loaded by `node --require`, lets Node resolve packages in `tree`."""
        return self.tree / "libreseed" / "register.cjs"

    def read_manifest(self) -> Mapping[str, Any]:
        """Return the parsed package.json. Raises NotFoundError without one, InvalidInputError unless it is a JSON
        object."""
        try:
            manifest = orjson.loads(self.manifest.read_bytes())
        except FileNotFoundError:
            raise NotFoundError(f"There is no package.json in {self.root}.", hint="Make one with: npm init") from None
        except orjson.JSONDecodeError as error:
            raise InvalidInputError(f"{self.manifest} is not JSON: {error}.") from None
        if not isinstance(manifest, dict):
            raise InvalidInputError(f"{self.manifest} does not hold a JSON object.")
        return manifest


def find_project(start: Path) -> Project:
    """Return the project of the nearest package.json from `start` upwards; without one, `start` itself."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / "package.json").is_file():
            return Project(folder)
    return Project(start)
