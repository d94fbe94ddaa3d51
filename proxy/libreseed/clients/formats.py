"""The interface of all formats of configuration files."""

from typing import Protocol

from libreseed.clients.endpoint import Endpoint
from libreseed.errors import ConfigError


class Format(Protocol):
    """One format of configuration file. `text` is that of a whole file, "" for one that does not exist."""

    def registry_of(self, text: str) -> str | None:
        """Return the registry that the file names for packages without a scope of their own, None for none."""
        ...

    def point(self, text: str, endpoint: Endpoint) -> str:
        """Return the file with `endpoint` as its registry, and with its token if there is one.

        All else stays as it is. Raises ConfigError when the file is written in a form that cannot be changed safely.
        """
        ...


def not_understood(setting: str) -> ConfigError:
    """Return the error for a file in which `setting` has to be changed by hand."""
    return ConfigError(f"it sets {setting} in a way that is not changed automatically")
