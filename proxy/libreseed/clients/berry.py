"""`.yarnrc.yml` of yarn 2 and later."""

from libreseed.clients.endpoint import Endpoint
from libreseed.clients.yaml import Settings


class Berry:
    """A `Format`."""

    def registry_of(self, text: str) -> str | None:
        """Return the value of `npmRegistryServer`."""
        return Settings(text).scalar("npmRegistryServer") or None

    def point(self, text: str, endpoint: Endpoint) -> str:
        """Set `npmRegistryServer`, allow its host plain HTTP where that is what it speaks, and set its token.

        The token goes below `npmRegistries`: at the top it would be shown to the registries of scopes too.
        """
        text = Settings(text).with_scalar("npmRegistryServer", endpoint.url)
        if not endpoint.encrypted:
            text = Settings(text).with_item("unsafeHttpWhitelist", endpoint.host)
        if endpoint.token:
            key = endpoint.key.rstrip("/")
            text = Settings(text).with_nested("npmRegistries", key, "npmAuthToken", endpoint.token)
        return text
