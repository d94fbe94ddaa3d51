import pytest
from yarl import URL

from libreseed.upstream.settings import Credentials, Proxies, Tls, UpstreamSettings

REGISTRY = "https://npm.example/team/"
SECRET = Credentials("Bearer secret")
DEEP = Credentials("Bearer deep")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://npm.example/team/lodash", SECRET),
        ("https://npm.example:443/team/lodash", SECRET),
        ("https://npm.example/team/deep/x", DEEP),
        ("https://npm.example/elsewhere/x.tgz", SECRET),  # the registry's own host
        ("https://npm.example/teams/x", SECRET),
        ("https://npm.example:8443/team/lodash", None),
        ("https://other.example/team/lodash", None),
        ("https://npm.example.evil.example/team/lodash", None),
        ("http://npm.example/team/lodash", None),
    ],
)
def test_credentials_go_where_they_belong(url: str, expected: Credentials | None) -> None:
    settings = UpstreamSettings(REGISTRY, credentials={"//npm.example/team/": SECRET, "//npm.example/team/deep": DEEP})
    assert settings.credentials_for(URL(url), URL(REGISTRY)) == expected


def test_a_path_prefix_ends_at_a_slash() -> None:
    settings = UpstreamSettings("https://else.example/", credentials={"//npm.example/team/": SECRET})
    registry = URL("https://else.example/")
    assert settings.credentials_for(URL("https://npm.example/team/x"), registry) == SECRET
    assert settings.credentials_for(URL("https://npm.example/teams/x"), registry) is None


def test_registry_for_a_scope() -> None:
    settings = UpstreamSettings(REGISTRY, scopes={"@corp": "https://corp.example/"})
    assert settings.registry_for("@corp/tool") == "https://corp.example/"
    assert settings.registry_for("@else/tool") == REGISTRY
    assert settings.registry_for("corp") == REGISTRY


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://npm.example/", "http://secure:1"),
        ("http://npm.example/", "http://plain:1"),
        ("https://corp.example/", ""),
        ("https://a.corp.example/", ""),
        ("https://notcorp.example/", "http://secure:1"),
        ("https://host.local/", ""),
    ],
)
def test_proxy_for(url: str, proxy: str) -> None:
    proxies = Proxies(http="http://plain:1", https="http://secure:1", without=("corp.example", ".local"))
    assert proxies.proxy_for(URL(url)) == proxy


def test_repr_shows_no_secret() -> None:
    settings = UpstreamSettings(
        REGISTRY,
        credentials={"//npm.example/": Credentials("Bearer hush", "/cert", "/hush.pem")},
        tls=Tls(cert="hush", key="hush"),
        proxies=Proxies(http="http://me:hush@proxy", https="http://me:hush@proxy"),
    )
    assert "hush" not in repr(settings)
