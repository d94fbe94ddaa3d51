"""What all formats must do with whatever a file says: name the registry, change nothing else, come back."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.clients.backup import Backup
from libreseed.clients.berry import Berry
from libreseed.clients.bunfig import Bunfig
from libreseed.clients.endpoint import Endpoint
from libreseed.clients.formats import Format
from libreseed.clients.ini import parse_ini
from libreseed.clients.lines import split, take_back
from libreseed.clients.npmrc import Npmrc
from libreseed.clients.pnpmyaml import PnpmYaml
from libreseed.clients.yarnrc import Yarnrc
from libreseed.errors import ConfigError

URL = "http://localhost:4880/"
PLAIN = Endpoint(URL)
KNOWN = Endpoint(URL, "s3cret")
SAFE = Endpoint("https://seed.example/npm/", "s3cret")

FORMATS = {"npmrc": Npmrc(), "yarnrc": Yarnrc(), "berry": Berry(), "pnpm": PnpmYaml(), "bunfig": Bunfig()}
PIECES = (
    "registry=http://old.example/",
    "@corp:registry=http://corp.example/",
    "//localhost:4880/:_authToken=old",
    "[install]",
    "[install.scopes]",
    "[other]",
    'registry = "http://old.example/"',
    'registry = { url = "http://old.example/", token = "old" }',
    'install.registry = "http://old.example/"',
    "cache = true",
    "registry: http://old.example/",
    "registry http://old.example/",
    'registry "http://old.example/"',
    "registries:",
    "  default: http://old.example/",
    "npmRegistryServer: http://old.example/",
    "unsafeHttpWhitelist:",
    "unsafeHttpWhitelist: [a, b]",
    "- a",
    '  - "b"',
    "npmRegistries:",
    '  "//localhost:4880":',
    "    npmAuthToken: old",
    "    npmAlwaysAuth: true",
    "# a comment",
    "; a comment",
    "---",
    "",
    "\ufeff",
)
FILES = st.one_of(
    st.text(max_size=100),
    st.builds(
        lambda pieces, end, last: end.join(pieces) + end * last,
        st.lists(st.sampled_from(PIECES), max_size=8),
        st.sampled_from(["\n", "\r\n"]),
        st.booleans(),
    ),
)


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
@given(text=FILES, endpoint=st.sampled_from([PLAIN, KNOWN, SAFE]), edit=st.sampled_from(["", "# mine\n", "mine=1\r\n"]))
def test_whatever_the_file_says(kind: Format, text: str, endpoint: Endpoint, edit: str) -> None:
    try:
        result = kind.point(text, endpoint)
    except ConfigError:
        return
    assert kind.registry_of(result) == endpoint.url
    assert kind.point(result, endpoint) == result, "a second time changes nothing"
    assert Backup("npm", "user", text, result).former(result) == (text, True)
    kept = [line.strip("\ufeff\r\n") for line in split(text) if not _ours(line)]
    lines = iter(line.strip("\ufeff\r\n") for line in split(result))
    assert all(line in lines for line in kept), "all else is there, in its order"
    if edit and result.endswith("\n"):
        back, _ = take_back(text, result, result + edit)
        assert back.endswith(edit)
        assert "s3cret" not in back or "s3cret" in text


def _ours(line: str) -> bool:
    words = ("registry", "npmRegistryServer", "unsafeHttpWhitelist", "npmAuthToken", "_authToken")
    return any(word in line for word in words) or not line.strip("\ufeff\r\n")


@pytest.mark.parametrize(
    ("kind", "text", "endpoint", "expected"),
    [
        (Npmrc(), "", PLAIN, f"registry={URL}\n"),
        (Npmrc(), "", KNOWN, f"//localhost:4880/:_authToken=s3cret\nregistry={URL}\n"),
        (
            Npmrc(),
            "; mine\nregistry = http://old.example ; why\n@corp:registry=http://c.example/\n//c.example/:_authToken=x",
            PLAIN,
            f"; mine\nregistry={URL}\n@corp:registry=http://c.example/\n//c.example/:_authToken=x",
        ),
        (Npmrc(), "[s]\nregistry=http://old.example/\n", PLAIN, f"registry={URL}\n[s]\nregistry=http://old.example/\n"),
        (Npmrc(), "registry[]=a\nregistry", PLAIN, f"registry={URL}\nregistry={URL}"),
        (Npmrc(), '"registry"=a\nregistry=b\n', PLAIN, f"registry={URL}\nregistry={URL}\n"),
        (Yarnrc(), "# THIS\nlastUpdateCheck 1\n", PLAIN, f'registry "{URL}"\n# THIS\nlastUpdateCheck 1\n'),
        (Yarnrc(), '"registry" "http://old.example"\nyarn-path "x"\n', PLAIN, f'registry "{URL}"\nyarn-path "x"\n'),
        (PnpmYaml(), "storeDir: /s\n", PLAIN, f'registry: "{URL}"\nstoreDir: /s\n'),
        (PnpmYaml(), "registry: http://old.example/ # why\n", KNOWN, f'registry: "{URL}"\n'),
        (
            Berry(),
            "nodeLinker: node-modules\n",
            PLAIN,
            f'unsafeHttpWhitelist:\n  - "localhost"\nnpmRegistryServer: "{URL}"\nnodeLinker: node-modules\n',
        ),
        (
            Berry(),
            "---\nnpmRegistryServer: 'https://old.example'\nunsafeHttpWhitelist:\n- \"*.corp\"\n\n# end\n",
            PLAIN,
            f'---\nnpmRegistryServer: "{URL}"\nunsafeHttpWhitelist:\n- "localhost"\n- "*.corp"\n\n# end\n',
        ),
        (
            Berry(),
            "unsafeHttpWhitelist: [a, 'localhost']\nnpmRegistries:\n    //x.example:\n        npmAuthToken: x\n",
            KNOWN,
            f"npmRegistryServer: \"{URL}\"\nunsafeHttpWhitelist: [a, 'localhost']\nnpmRegistries:\n"
            '    "//localhost:4880":\n      npmAuthToken: "s3cret"\n    //x.example:\n        npmAuthToken: x\n',
        ),
        (
            Berry(),
            'npmRegistries:\n  "//seed.example/npm":\n    npmAlwaysAuth: true\n    npmAuthToken: old\n  other: {}\n',
            SAFE,
            'npmRegistryServer: "https://seed.example/npm/"\nnpmRegistries:\n  "//seed.example/npm":\n'
            '    npmAlwaysAuth: true\n    npmAuthToken: "s3cret"\n  other: {}\n',
        ),
        (
            Berry(),
            "npmScopes:\n  corp:\n    npmRegistryServer: https://corp.example\n",
            SAFE,
            'npmRegistries:\n  "//seed.example/npm":\n    npmAuthToken: "s3cret"\n'
            'npmRegistryServer: "https://seed.example/npm/"\n'
            "npmScopes:\n  corp:\n    npmRegistryServer: https://corp.example\n",
        ),
        (
            Berry(),
            "unsafeHttpWhitelist: []",
            PLAIN,
            f'npmRegistryServer: "{URL}"\nunsafeHttpWhitelist: ["localhost"]\n',
        ),
        (Bunfig(), "smol = true\n", PLAIN, f'install.registry = "{URL}"\nsmol = true\n'),
        (Bunfig(), "[install] # mine\nexact = true\n", PLAIN, f'[install] # mine\nregistry = "{URL}"\nexact = true\n'),
        (
            Bunfig(),
            '[install]\nregistry = "http://old.example"\n[install.scopes]\ncorp = "http://c.example"\n',
            KNOWN,
            f'[install]\nregistry = {{ url = "{URL}", token = "s3cret" }}\n[install.scopes]\ncorp = "http://c.example"\n',
        ),
    ],
)
def test_examples(kind: Format, text: str, endpoint: Endpoint, expected: str) -> None:
    assert kind.point(text, endpoint) == expected
    if "\n" in text:
        assert kind.point(text.replace("\n", "\r\n"), endpoint) == expected.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Berry(), "{npmRegistryServer: x}"),
        (Berry(), "--- {npmRegistryServer: x}"),
        (Berry(), "npmRegistryServer: x\nnpmRegistryServer: y"),
        (Berry(), "unsafeHttpWhitelist: [\n  a\n]"),
        (Berry(), "unsafeHttpWhitelist: a"),
        (Berry(), "npmRegistries: {}"),
        (Berry(), 'npmRegistries:\n  "//localhost:4880": {npmAuthToken: x}'),
        (PnpmYaml(), "registry: a\nregistry: b"),
        (Bunfig(), '[install.registry]\nurl = "x"'),
        (Bunfig(), "install = { exact = true }"),
        (Bunfig(), "no toml"),
    ],
)
def test_what_is_not_understood_is_refused(kind: Format, text: str) -> None:
    with pytest.raises(ConfigError):
        kind.point(text, KNOWN)


@pytest.mark.parametrize(
    ("kind", "text", "registry"),
    [
        (Npmrc(), "registry=http://a/ # b", "http://a/"),
        (Npmrc(), "@corp:registry=http://a/", None),
        (Yarnrc(), "registry http://a/\n", "http://a/"),
        (Yarnrc(), 'registry: "http://a/"', "http://a/"),
        (Yarnrc(), "registryx y", None),
        (Berry(), "npmRegistryServer: 'http://a/' # b", "http://a/"),
        (Berry(), "npmScopes:\n  a:\n    npmRegistryServer: http://a/", None),
        (PnpmYaml(), "registry: http://a/", "http://a/"),
        (PnpmYaml(), "registries:\n  default: http://a/", "the one in `registries`"),
        (Bunfig(), '[install]\nregistry = { url = "http://a/", token = "x" }', "http://a/"),
        (Bunfig(), "", None),
    ],
)
def test_the_registry_that_a_file_names(kind: Format, text: str, registry: str | None) -> None:
    assert kind.registry_of(text) == registry


def test_other_parsers_agree() -> None:
    npmrc = Npmrc().point("a=1\n[s]\nb=2", KNOWN)
    assert parse_ini(npmrc) == {"//localhost:4880/:_authToken": "s3cret", "registry": URL, "a": "1"}
    bunfig = Bunfig().point("[install]\nexact = true", KNOWN)
    assert tomllib.loads(bunfig) == {"install": {"registry": {"url": URL, "token": "s3cret"}, "exact": True}}


def test_an_endpoint() -> None:
    endpoint = Endpoint.parse(" http://localhost:4880 ", "s3cret")
    assert (endpoint.url, endpoint.key, endpoint.host) == (URL, "//localhost:4880/", "localhost")
    assert not endpoint.encrypted
    assert "s3cret" not in repr(endpoint)
    for wrong in ("", "localhost:4880", "ftp://x", "http://me:word@x/", "http://x/?a", 'http://x/"'):
        try:
            assert '"' not in Endpoint.parse(wrong).url, wrong
        except ConfigError:
            continue
        assert wrong == 'http://x/"'
