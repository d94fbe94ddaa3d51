"""pnpm's own settings, from pnpm 11 on: `config.yaml` of the user, `pnpm-workspace.yaml` of a project."""

from libreseed.clients.endpoint import Endpoint
from libreseed.clients.yaml import Settings


class PnpmYaml:
    """A `Format`. Tokens are not kept here: pnpm reads those in `.npmrc` too."""

    def registry_of(self, text: str) -> str | None:
        """Return the value of `registry`; of `registries`, which may name one too, only that it is there."""
        settings = Settings(text)
        value = settings.scalar("registry")
        return value or ("the one in `registries`" if settings.scalar("registries") is not None else None)

    def point(self, text: str, endpoint: Endpoint) -> str:
        """Set `registry`, which pnpm prefers to the default of `registries`."""
        return Settings(text).with_scalar("registry", endpoint.url)
