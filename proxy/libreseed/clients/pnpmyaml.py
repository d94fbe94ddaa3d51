"""pnpm's own configuration files since pnpm 11: the user's `config.yaml`, and a project's `pnpm-workspace.yaml`."""

from libreseed.clients.endpoint import Endpoint
from libreseed.clients.yaml import Settings


class PnpmYaml:
    """A `Format`. Tokens are not written here, because pnpm reads those in `.npmrc` too."""

    def registry_of(self, text: str) -> str | None:
        """Return the value of `registry`; without it, where there are `registries`, words that say so; else None."""
        settings = Settings(text)
        value = settings.scalar("registry")
        return value or ("the one in `registries`" if settings.scalar("registries") is not None else None)

    def point(self, text: str, endpoint: Endpoint) -> str:
        """Set `registry`, which in pnpm takes precedence over the default of `registries`."""
        return Settings(text).with_scalar("registry", endpoint.url)
