"""The real npm reads real files here; where npm misbehaves, a script stands in for it."""

import base64
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from yarl import URL

from libreseed.clients.backup import BackupFile
from libreseed.clients.endpoint import Endpoint
from libreseed.clients.npmrc import Npmrc
from libreseed.clients.places import Place
from libreseed.clients.pointing import point
from libreseed.errors import ConfigError, StoreError
from libreseed.packages.integrity import format_integrity, sha512
from libreseed.upstream.client import Upstream
from libreseed.upstream.npmrc import ListenAddress, read_settings
from libreseed.upstream.packuments import Packument
from libreseed.upstream.settings import Credentials, UpstreamSettings

OWN = ListenAddress("127.0.0.1", 4880)
PEM = "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----"


@dataclass(frozen=True)
class Machine:
    """A home, a project in it, and what npm reads there."""

    home: Path

    @property
    def project(self) -> Path:
        return self.home / "project"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "npm_config_globalconfig": str(self.home / "global"),
        }

    def write(self, *, user: str = "", project: str = "", everybody: str = "") -> None:
        (self.home / ".npmrc").write_text(user)
        (self.project / ".npmrc").write_text(project)
        (self.home / "global").write_text(everybody)

    async def read(self, choice: str = "auto", variables: Mapping[str, str] | None = None) -> UpstreamSettings:
        environment = self.environment | dict(variables or {})
        return await read_settings(choice, OWN, directory=self.project, environment=environment, backups=self.backups)

    @property
    def backups(self) -> BackupFile:
        return BackupFile(self.home / "clients.json")

    def point_here(self, *files: Path) -> None:
        """Do what `libreseed setup` does."""
        places = [Place("npm", file, Npmrc()) for file in files]
        point(places, Endpoint("http://localhost:4880/", "ours"), self.backups, "user", dry=False)

    def replace_npm(self, script: str) -> dict[str, str]:
        folder = self.home / "bin"
        folder.mkdir()
        (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "npm").chmod(0o755)
        return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.project.mkdir()
    (machine.project / "package.json").write_text("{}")
    machine.write()
    return machine


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


async def test_all_that_npm_knows(machine: Machine) -> None:
    password = base64.b64encode(b"word").decode()
    machine.write(
        everybody="registry=https://global.example/\nstrict-ssl=false\n//global.example/:_authToken=from-global",
        user="\n".join(
            [
                "registry = https://user.example/npm ; without a slash at its end",
                "@corp:registry=https://corp.example/a/",
                "@us:registry=http://localhost:4880/",
                "//user.example/npm/:_authToken=${TOKEN}",
                "//corp.example/:username=me",
                f"//corp.example/:_password={password}",
                "//plain.example/:_auth=bWU6d29yZA==",
                "//mutual.example/:certfile=/c.pem\n//mutual.example/:keyfile=/k.pem",
                "//unset.example/:_authToken=${NOT_SET}",
                "//half.example/:username=me",
                "https-proxy=http://me:word@proxy.example:3128/",
                "noproxy=localhost,.corp.example",
                "cafile=~/ca.pem",
                f'ca[]="{PEM}"\nca[]="{PEM}"',
                f'cert="{PEM}"\nkey="{PEM}"',
            ]
        ),
        project="//corp.example/a/:_authToken=from-project",
    )
    settings = await machine.read(variables={"TOKEN": "s3cret", "NODE_EXTRA_CA_CERTS": "/extra.pem"})
    assert settings.registry == "https://user.example/npm/"
    assert settings.scopes == {"@corp": "https://corp.example/a/"}
    assert settings.credentials == {
        "//global.example/": Credentials("Bearer from-global"),
        "//user.example/npm/": Credentials("Bearer s3cret"),
        "//corp.example/": Credentials(basic("me:word")),
        "//corp.example/a/": Credentials("Bearer from-project"),
        "//plain.example/": Credentials(basic("me:word")),
        "//mutual.example/": Credentials("", "/c.pem", "/k.pem"),
    }
    pem = PEM.replace("\\n", "\n")
    tls = settings.tls
    assert (tls.strict, tls.cafile, tls.ca) == (False, str(machine.home / "ca.pem"), (pem, pem))
    assert (tls.cert, tls.key, tls.extra_cafile) == (pem, pem, "/extra.pem")
    assert settings.proxies.proxy_for(URL("http://x.example/")) == "http://me:word@proxy.example:3128/"
    assert settings.proxies.without == ("localhost", ".corp.example")
    for secret in ("s3cret", "word", "bWU6", "from-"):
        assert secret not in repr(settings)


async def test_variables_come_before_files(machine: Machine) -> None:
    machine.write(user="registry=https://user.example/\n//user.example/:_authToken=file\nstrict-ssl=false")
    settings = await machine.read(
        variables={
            "NPM_CONFIG_REGISTRY": "https://me:word@variable.example/",
            "npm_config_//user.example/:_authToken": "variable",
            "NPM_CONFIG_STRICT_SSL": "true",
            "HTTP_PROXY": "http://proxy.example/",
            "no_proxy": "a.example, b.example",
        }
    )
    assert settings.registry == "https://variable.example/"
    assert settings.credentials == {
        "//user.example/": Credentials("Bearer variable"),
        "//variable.example/": Credentials(basic("me:word")),
    }
    assert settings.tls.strict
    assert settings.proxies.proxy_for(URL("http://x.example/")) == "http://proxy.example/"
    assert settings.proxies.proxy_for(URL("https://x.example/")) == ""
    assert settings.proxies.without == ("a.example", "b.example")


@pytest.mark.parametrize("where", ["user", "project", "everybody", "variable"])
async def test_never_ourselves(machine: Machine, where: str) -> None:
    default = (await machine.read()).registry
    assert default is not None
    ourselves = "http://localhost:4880/"
    if where != "variable":
        machine.write(**{where: f"registry={ourselves}\nmaxsockets=3"})
    variables = {"npm_config_strict_ssl": "false"} | ({"npm_config_registry": ourselves} if where == "variable" else {})
    settings = await machine.read(variables=variables)
    assert settings.registry == default
    assert not settings.tls.strict  # the rest of the configuration stays


@pytest.mark.parametrize("where", ["user", "project", "both", "everybody"])
async def test_after_setup_it_is_the_former_one(machine: Machine, where: str) -> None:
    files = {"user": machine.home / ".npmrc", "project": machine.project / ".npmrc"}
    former = (
        "registry=https://former.example/\n//former.example/:_authToken=${TOKEN}\n@corp:registry=https://c.example/"
    )
    ignored = "registry=https://ignored.example/"
    machine.write(
        **{
            "user": {"user": former, "project": ""},
            "project": {"user": ignored, "project": former},
            "both": {"user": ignored, "project": former},
            "everybody": {"everybody": former},
        }[where]
    )
    machine.point_here(*(files.values() if where in ("both", "everybody") else [files[where]]))
    files["user"].write_text(files["user"].read_text() + "\nstrict-ssl=false\n")
    settings = await machine.read(variables={"TOKEN": "s3cret"})
    assert settings.registry == "https://former.example/"
    assert settings.credentials == {"//former.example/": Credentials("Bearer s3cret")}
    assert settings.scopes == {"@corp": "https://c.example/"}
    assert not settings.tls.strict, "what was changed since counts"


async def test_after_setup_of_a_file_named_by_a_variable(machine: Machine) -> None:
    mine = machine.home / "mine"
    mine.write_text("registry=https://former.example/\n")
    machine.point_here(mine)
    settings = await machine.read(variables={"NPM_CONFIG_USERCONFIG": str(mine)})
    assert settings.registry == "https://former.example/"


async def test_after_setup_where_nothing_was_named(machine: Machine) -> None:
    default = (await machine.read()).registry
    (machine.home / ".npmrc").unlink()
    machine.point_here(machine.home / ".npmrc")
    assert (await machine.read()).registry == default


async def test_a_damaged_memory_is_told(machine: Machine) -> None:
    machine.point_here(machine.home / ".npmrc")
    machine.backups.path.write_text("{")
    with pytest.raises(StoreError, match="by hand"):
        await machine.read()


async def test_a_project_around_the_folder_for_temporary_files(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = (await machine.read()).registry
    machine.write(project="registry=http://localhost:4880/")
    monkeypatch.setattr(tempfile, "tempdir", str(machine.project))
    assert (await machine.read()).registry == default


async def test_a_url_is_used_with_what_npm_knows_about_it(machine: Machine) -> None:
    machine.write(user="registry=http://localhost:4880/\n//named.example/:_authToken=mine\nstrict-ssl=false")
    settings = await machine.read("https://named.example")
    assert settings.registry == "https://named.example/"
    assert settings.credentials == {"//named.example/": Credentials("Bearer mine")}
    assert not settings.tls.strict


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("http://localhost:4880/", True),
        ("http://LOCALHOST.:4880/npm/", True),
        ("http://127.0.0.1:4880", True),
        ("http://127.8.9.1:4880", True),
        ("http://[::1]:4880/", True),
        ("http://0.0.0.0:4880/", True),
        ("http://seed.localhost:4880/", True),
        ("http://10.0.0.7:4880/", True),
        ("http://localhost:4873/", False),
        ("http://localhost/", False),
        ("https://registry.example:4880/", False),
        ("http://10.0.0.8:4880/", False),
    ],
)
def test_who_we_are(url: str, ours: bool) -> None:
    assert ListenAddress("10.0.0.7", 4880).is_at(URL(url)) is ours


async def test_none_asks_nobody(machine: Machine) -> None:
    settings = await machine.read("none", machine.replace_npm("exit 1"))
    assert settings == UpstreamSettings(None)


@pytest.mark.parametrize("url", ["", "localhost:4873", "ftp://x.example", "http://", "https://me:word@", "http://x:y"])
async def test_no_registry_url(machine: Machine, url: str) -> None:
    with pytest.raises(ConfigError, match="not the URL of a registry") as caught:
        await machine.read(url)
    assert "word" not in str(caught.value)


async def test_a_url_that_is_ourselves(machine: Machine) -> None:
    with pytest.raises(ConfigError, match="this server itself"):
        await machine.read("http://127.0.0.1:4880/")


@pytest.mark.skipif(os.name == "nt", reason="needs sh")
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'npm error broken' >&2; exit 1", "configuration: broken"),
        ("echo hello", "not JSON"),
        ("echo '[]'", "not JSON"),
        ("echo '{}'", "not the URL of a registry"),
        ("""echo '{"registry":"http://localhost:4880/"}'""", "falls back to is this server itself"),
        ("""echo '{"registry":"http://x.example/","proxy":"socks5://me:word@y"}'""", "'y' is not an HTTP proxy"),
    ],
)
async def test_an_npm_that_fails(machine: Machine, script: str, message: str) -> None:
    variables = machine.replace_npm(script)
    with pytest.raises(ConfigError, match=message) as caught:
        await machine.read(variables=variables)
    assert caught.value.hint
    assert "word" not in str(caught.value)


async def test_no_npm(machine: Machine) -> None:
    with pytest.raises(ConfigError, match=r"not on the PATH.*--upstream"):
        await machine.read(variables={"PATH": str(machine.home)})
    settings = await machine.read("http://named.example/", {"PATH": str(machine.home), "http_proxy": "http://proxy/"})
    assert settings.registry == "http://named.example/"
    assert settings.proxies.http == "http://proxy/"


@pytest.mark.skipif(os.name == "nt", reason="needs sh")
async def test_an_npm_that_hangs_is_ended_with_all_it_started(machine: Machine) -> None:
    # The pipe stays open as long as anything that the script started is alive.
    variables = machine.replace_npm("sleep 600 & wait")
    environment = machine.environment | variables
    with pytest.raises(ConfigError, match=r"within 0\.2 s"):
        await read_settings("auto", OWN, directory=machine.project, environment=environment, timeout=0.2)


async def test_credentials_that_would_break_the_header(machine: Machine) -> None:
    machine.write(user='//x.example/:_authToken="a\\r\\nHost: evil"')
    with pytest.raises(ConfigError, match="control character"):
        await machine.read(
            variables=machine.replace_npm(
                f"""echo '{{"registry":"http://x.example/","userconfig":"{machine.home}/.npmrc"}}'"""
            )
        )


@pytest.mark.e2e
async def test_the_registry_that_npm_is_configured_with() -> None:
    async with Upstream(lambda: read_settings("auto", OWN), node_id="node-1") as upstream:
        packument = await upstream.packument("is-number")
        assert isinstance(packument, Packument)
        assert not packument.restricted or (await upstream.ready()).credentials
        async with upstream.tarball("is-number", "is-number-7.0.0.tgz") as stream:
            tarball = b"".join([chunk async for chunk in stream])
        assert stream.length in (None, len(tarball))
        assert format_integrity(sha512(tarball)) in packument.body.decode()
        assert upstream.requests == 2 or (await upstream.ready()).credentials


async def test_in_a_workspace_the_settings_are_those_of_its_project(machine: Machine) -> None:
    machine.write(project="registry=https://project.example/")
    (machine.project / "package.json").write_text('{"workspaces": ["packages/*"]}')
    workspace = machine.project / "packages" / "a"
    workspace.mkdir(parents=True)
    (workspace / "package.json").write_text('{"name": "a"}')
    for _ in ("as it is", "after setup"):
        settings = await read_settings(
            "auto", OWN, directory=workspace, environment=machine.environment, backups=machine.backups
        )
        assert str(settings.registry) == "https://project.example/"
        machine.point_here(machine.project / ".npmrc")
