"""Install scripts of packages, which run only where package.json's `allowScripts` allows them.

The field and its rules are npm's: `name` or `name@1.2.3` (also `name@1.2.3 || 1.2.4`) -> true or false; false wins;
a package that came inside another's tarball never runs scripts. Source: npm's `npm approve-scripts`.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from libreseed.errors import InvalidInputError, UnavailableError
from libreseed.modules.files import as_store_error, write_whole
from libreseed.modules.lock.entry import LockedPackage
from libreseed.npm import complaints, run_npm

FIELD = "allowScripts"
TIMEOUT = 1800.0


def read_allowed(manifest: Mapping[str, Any]) -> dict[str, bool]:
    """Return the field `allowScripts` of a package.json. Raises InvalidInputError unless it is an object of
    booleans."""
    allowed = manifest.get(FIELD, {})
    if not isinstance(allowed, dict) or not all(isinstance(value, bool) for value in allowed.values()):
        raise InvalidInputError(f"package.json has {FIELD!r} that is no table of true and false.")
    return allowed


def may_have_scripts(package: LockedPackage) -> bool:
    """Tell whether a package has install scripts that can be allowed, which those of bundled packages and folders
    cannot."""
    return package.has_install_script and package.kind in ("registry", "packed")


def is_allowed(package: LockedPackage, allowed: Mapping[str, bool]) -> bool | None:
    """Tell whether a package's scripts may run; None when the field has no entry for it."""
    if package.kind not in ("registry", "packed"):
        return None
    decisions = [value for key, value in allowed.items() if _means(key, package)]
    return all(decisions) if decisions else None


def approve(
    packages: Iterable[LockedPackage], allowed: Mapping[str, bool], *, pin: bool
) -> tuple[dict[str, bool], list[LockedPackage]]:
    """Return the field with these packages allowed, at their present versions with `pin`; and those of the packages
    that it denies."""
    packages = list(packages)
    denied = [package for package in packages if is_allowed(package, allowed) is False]
    approved = [package for package in packages if package not in denied]
    keys = {_key(package, pin=pin) for package in approved}
    names = {package.name for package in approved if package.kind == "registry"}
    # Earlier approvals of single versions are replaced. Lists of versions, which only users write, stay.
    kept = {
        key: value
        for key, value in allowed.items()
        if not value or _split(key)[0] not in names or "||" in _split(key)[1]
    }
    return kept | dict.fromkeys(sorted(keys), True), denied


async def run_scripts(folder: Path, packages: Sequence[LockedPackage], *, timeout: float = TIMEOUT) -> None:
    """Run the install scripts of packages in `folder`, a `.libreseed_modules`, as `npm rebuild` does.

    npm determines the order, the environment, and where node-gyp is needed. Raises ScriptError when one fails.
    """
    # npm takes name and version: where a package is in two places, it builds both.
    specs = sorted({f"{package.inner.rpartition('node_modules/')[2]}@{package.version}" for package in packages})
    command = ["rebuild", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error", "--bin-links=false"]
    command += ["--ignore-scripts=false", "--dangerously-allow-all-scripts"]
    environment = {key: value for key, value in os.environ.items() if key.lower() != "npm_config_ignore_scripts"}
    done = await run_npm([*command, "--", *specs], folder, environment, timeout=timeout)
    if done.code:
        reason = "\n".join(complaints(done.errors)[:20]) or f"npm ended with {done.code}"
        raise ScriptError(
            f"The install scripts of {', '.join(specs)} failed: {reason}",
            hint="The packages are installed; the next install tries their scripts again.",
        )


class ScriptError(UnavailableError):
    """An install script failed; the packages themselves are installed."""


def _means(key: str, package: LockedPackage) -> bool:
    if package.kind != "registry":
        return key == package.origin
    name, versions = _split(key)
    if name != package.name:
        return False
    return versions in ("", "*") or package.version in (version.strip() for version in versions.split("||"))


def _split(key: str) -> tuple[str, str]:
    at = key.find("@", 1)
    return (key[:at], key[at + 1 :]) if at > 0 else (key, "")


def _key(package: LockedPackage, *, pin: bool) -> str:
    if package.kind != "registry":
        return package.origin
    return package.label if pin else package.name


def write_allowed(manifest: Path, allowed: Mapping[str, bool]) -> None:
    """Write the field `allowScripts` into a package.json, keeping its indentation. Blocks; raises StoreError."""
    text = manifest.read_text()
    content = json.loads(text)
    content[FIELD] = dict(sorted(allowed.items()))
    indent = re.search(r"^[\t ]+(?=\")", text, re.MULTILINE)
    end = "\n" if text.endswith("\n") else ""
    written = json.dumps(content, indent=indent[0] if indent else 2, ensure_ascii=False) + end
    with as_store_error():
        write_whole(manifest, written.encode())
