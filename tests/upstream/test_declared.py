import base64
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from libreseed.errors import ConfigError
from libreseed.upstream.declared import DeclaredUpstream, owner_of, read_declared
from libreseed.upstream.npmrc import ListenAddress

OWN = ListenAddress("127.0.0.1", 4880)
URL_TEXT = "https://npm.corp.example/team"
CORP = {"url": URL_TEXT, "packages": ["@corp/*"]}


def read(environment: dict[str, str] | None = None, **tables: Any) -> tuple[DeclaredUpstream, ...]:
    return read_declared(tables, OWN, environment or {})


def authorization(upstream: DeclaredUpstream) -> str:
    registry = URL(upstream.settings.registry or "")
    credentials = upstream.settings.credentials_for(registry, registry)
    return credentials.authorization if credentials else ""


def test_a_table(tmp_path: Path) -> None:
    cafile = tmp_path / "ca.pem"
    cafile.touch()
    more = {"timeout": 8, "connect-timeout": 2, "retries": 1, "cafile": str(cafile), "proxy": "http://proxy.example:1"}
    [corp] = read(corp={**CORP, **more, "strict_ssl": False})
    assert (corp.name, corp.packages, corp.settings.registry) == ("corp", ("@corp/*",), f"{URL_TEXT}/")
    assert (corp.limits.packument, corp.limits.answer, corp.limits.idle, corp.limits.connect) == (8, 8, 4, 2)
    assert (corp.limits.retries, corp.settings.tls.cafile, corp.settings.tls.strict) == (1, str(cafile), False)
    assert corp.settings.proxies.https == "http://proxy.example:1"
    assert corp.settings.is_private("@corp/tool")
    assert authorization(corp) == ""


def test_secrets(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-file\n")
    basic = "Basic " + base64.b64encode(b"ann:from-file").decode()
    for keys, expected in (
        ({"token": "plain"}, "Bearer plain"),
        ({"token-env": "CORP_TOKEN"}, "Bearer from-env"),
        ({"token-file": str(tmp_path / "secret")}, "Bearer from-file"),
        ({"username": "ann", "password-file": str(tmp_path / "secret")}, basic),
    ):
        [corp] = read({"CORP_TOKEN": "from-env"}, corp={**CORP, **keys})
        assert authorization(corp) == expected
        assert "from-" not in repr(corp)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": None}, "has no url"),
        ({"url": "ftp://x"}, "not the URL of a registry"),
        ({"url": "http://localhost:4880/"}, "this server itself"),
        ({"packages": None}, "no list of packages"),
        ({"packages": []}, "no list of packages"),
        ({"packages": ["*"]}, "names of every kind"),
        ({"packages": ["@*/x"]}, "names of every kind"),
        ({"packages": ["a b"]}, "not an npm package name"),
        ({"packages": [7, "@corp/*", ""]}, "not an npm package name"),
        ({"pakages": ["x"]}, "unknown key 'pakages'"),
        ({"timeout": 0}, "timeout is not a number"),
        ({"timeout": "10"}, "timeout is not a number"),
        ({"retries": 11}, "retries is not a number"),
        ({"strict-ssl": "no"}, "strict-ssl is neither"),
        ({"cafile": "/nowhere/ca.pem"}, "there is no file"),
        ({"token": 7}, "token is not a text"),
        ({"token": "a", "token-env": "B"}, "more than one way"),
        ({"token-env": "NOT_SET"}, "the variable NOT_SET is not set"),
        ({"token-file": "/nowhere/token"}, "there is no file"),
    ],
)
def test_a_wrong_table(changes: dict[str, Any], says: str) -> None:
    table = {key: value for key, value in {**CORP, **changes}.items() if value is not None}
    with pytest.raises(ConfigError, match=says):
        read(corp=table)


def test_a_wrong_setting() -> None:
    for tables in (7, {"corp": 7}):
        with pytest.raises(ConfigError, match="not a table"):
            read_declared(tables, OWN, {})
    with pytest.raises(ConfigError, match="Both upstreams 'a' and 'b'"):
        read(a=CORP, b=CORP)


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("@corp/tool", "scope"),
        ("@corp/web-tool", "web"),
        ("@corp/web-core", "exact"),
        ("internal-x", "internal"),
        ("internal", None),
        ("my-internal-x", None),
        ("@babel/internal-x", None),
        ("@corporate/tool", None),
        ("tool-cli", "cli"),
        ("@babel/tool-cli", None),
        ("lodash", None),
    ],
)
def test_the_most_specific_pattern_decides(name: str, owner: str | None) -> None:
    patterns = {
        "scope": "@corp/*",
        "web": "@corp/web-*",
        "exact": "@corp/web-core",
        "internal": "internal-*",
        "cli": "*-cli",
    }
    declared = read(**{key: {"url": URL_TEXT, "packages": [pattern]} for key, pattern in patterns.items()})
    for order in (declared, declared[::-1]):
        found = owner_of(order, name)
        assert (found.name if found else None) == owner


def test_scopes_of_its_names() -> None:
    [corp] = read(corp={**CORP, "packages": ["@corp/web-*", "internal-*"]})
    assert corp.knows_scope("@corp")
    assert not corp.knows_scope("@babel")
