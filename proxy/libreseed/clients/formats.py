"""What all formats of configuration files have in common."""

from typing import Protocol

from libreseed.clients.endpoint import Endpoint
from libreseed.errors import ConfigError


class Format(Protocol):
    """One format of configuration file. Texts are whole files, "" for one that is not there."""

    def registry_of(self, text: str) -> str | None:
        """Return the registry that the file names for packages without a scope of their own, None for none."""
        ...

    def point(self, text: str, endpoint: Endpoint) -> str:
        """Return the file with `endpoint` as its registry, and with its token if there is one.

        All else stays as it is. Raises ConfigError for a file that is written in a way that is not understood.
        """
        ...


def not_understood(setting: str) -> ConfigError:
    """Return the error for a file that has to be changed by hand."""
    return ConfigError(f"it sets {setting} in a way that is not changed automatically")
