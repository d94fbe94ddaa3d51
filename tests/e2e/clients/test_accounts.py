"""Who is at the client."""

import base64
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from libreseed.accounts.totp import STEP, code_at
from support.clients import write_project
from support.compatibility import covers
from support.nodes import Answer, NodeProcess, request
from support.packages import publish_body
from support.registry_clients import PASSWORD, Client, log_in, project
from support.terminal import Terminal
from support.weblogin import URL, fill_in

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("clients-accounts")]

Publish = Callable[..., str]


def whoami(node: NodeProcess, token: str) -> int:
    return request("GET", f"{node.url}/-/whoami", headers={"Authorization": f"Bearer {token}"}).status


@covers("login", "`PUT /-/user/org.couchdb.user:USER`; pnpm: `POST /-/v1/login`")
def test_login(client: Client, tmp_path: Path) -> None:
    user = f"new-{client.name}"
    newcomer = Client(client.name, tmp_path / "newcomer", client.node)
    code, shown = log_in_at_terminal(newcomer, tmp_path / "app", user, PASSWORD, new=True)
    assert code == 0, shown
    asked = ("PUT", f"/-/user/org.couchdb.user:{user}", 201, "store")
    if client.name.startswith("pnpm"):
        asked = ("POST", "/-/v1/login", 200, "store")
    assert asked in client.node.accesses()
    if "whoami" in client.kind.commands:
        assert user in newcomer.call(tmp_path / "app", "whoami").stdout.split()
    wrong = Client(client.name, tmp_path / "wrong", client.node)
    code, shown = log_in_at_terminal(wrong, tmp_path / "wrong-app", user, "wrong horse")
    assert (code != 0, "401" in shown or "password" in shown.lower()) == (True, True), shown


def log_in_at_terminal(client: Client, app: Path, user: str, password: str, *, new: bool = False) -> tuple[int, str]:
    """Log in as a user does: npm and yarn 4 by their command, pnpm on the page that it opens, yarn 1 only with the
    first thing that it writes. `new`: to an account made by that."""
    questions = [("username", user), ("password", password)]
    if client.name == "yarn-1":
        write_project(app, {"name": user, "version": "1.0.0"})
        questions.insert(1, ("email", "new@example.test"))
        words = [*client.words("publish"), "--new-version", "1.0.0"]
        words.remove("--non-interactive")
    else:
        project(app, client)
        words = client.words("login")
        if client.name.startswith("npm"):
            questions.append(("email", "new@example.test"))
    with Terminal(words, app, client.environment) as terminal:
        if client.name.startswith("pnpm"):
            url = terminal.wait_for(URL)[1]
            page = fill_in(f"{url}?new=yes" if new else url, name=user, password=password, again=password)
            return (terminal.finish(), terminal.text) if "You are logged in" in page else (1, page)
        for question, answer in questions:
            if terminal.find(f"(?i){question}"):
                terminal.type(answer)
        return terminal.finish(), terminal.text


@covers("web login", "`POST /-/v1/login`, the page that it names, `GET /-/v1/done/ID`")
def test_web_login(client: Client, tmp_path: Path) -> None:
    user = f"web-{client.name}"
    newcomer = Client(client.name, tmp_path / "newcomer", client.node)
    app = project(tmp_path / "app", newcomer)
    for new in (True, False):
        with Terminal(newcomer.words("web login"), app, newcomer.environment) as terminal:
            url = terminal.wait_for(URL)[1]
            page = fill_in(f"{url}?new=yes" if new else url, name=user, password=PASSWORD, again=PASSWORD)
            assert "You are logged in" in page
            assert terminal.finish() == 0, terminal.text
        assert newcomer.call(app, "whoami").stdout == f"{user}\n"
        newcomer.call(app, "logout")
        assert newcomer.call(app, "whoami", check=False).returncode != 0


@covers("whoami", "`GET /-/whoami`")
def test_whoami(client: Client, tmp_path: Path) -> None:
    app = project(tmp_path / "app", client)
    assert "ann" in client.call(app, "whoami").stdout.split()
    stranger = Client(client.name, tmp_path / "stranger", client.node)
    assert stranger.call(app, "whoami", check=False).returncode != 0


@covers("logout", "`DELETE /-/user/token/TOKEN`")
def test_logout(client: Client, tmp_path: Path) -> None:
    assert whoami(client.node, client.token) == 200
    client.call(project(tmp_path / "app", client), "logout")
    assert whoami(client.node, client.token) == 401


@covers("token create", "`POST /-/npm/v1/tokens`")
def test_token_create(client: Client, tmp_path: Path) -> None:
    app = project(tmp_path / "app", client)
    with Terminal(client.words("token create"), app, client.environment) as terminal:
        if terminal.find("(?i)password"):
            terminal.type(PASSWORD)
        assert terminal.finish() == 0, terminal.text
    made = re.findall(r"ls_[\w-]+", terminal.text)
    assert whoami(client.node, made[-1]) == 200
    assert write(client.node, made[-1], "@acme/by-a-reader").status == 403


@covers("token list", "`GET /-/npm/v1/tokens`")
def test_token_list(client: Client, tmp_path: Path) -> None:
    made = make_token(client.node, "ann")
    assert made["key"][:6] in client.call(project(tmp_path / "app", client), "token list").stdout


@covers("token revoke", "`GET /-/npm/v1/tokens`, `DELETE /-/npm/v1/tokens/token/KEY`")
def test_token_revoke(client: Client, tmp_path: Path) -> None:
    made = make_token(client.node, "ann")
    assert whoami(client.node, made["token"]) == 200
    client.call(project(tmp_path / "app", client), "token revoke", key=made["key"])
    assert whoami(client.node, made["token"]) == 401


@covers("profile get", "`GET /-/npm/v1/user`")
def test_profile_get(client: Client, tmp_path: Path) -> None:
    assert "ann" in client.call(project(tmp_path / "app", client), "profile get").stdout.split()


@covers("profile set", "`POST /-/npm/v1/user`")
def test_profile_set(client: Client, tmp_path: Path) -> None:
    client.call(project(tmp_path / "app", client), "profile set", value=client.name)
    shown = client.node.get("/-/npm/v1/user", Authorization=f"Bearer {log_in(client.node, 'ann')}").json()
    assert shown["fullname"] == client.name


@covers("enable 2fa", "`POST /-/npm/v1/user`")
def test_enable_2fa(client: Client, tmp_path: Path) -> None:
    careful = Client(client.name, tmp_path / "careful", client.node, f"careful-{client.name}")
    with Terminal(careful.words("enable 2fa"), project(tmp_path / "app", careful), careful.environment) as terminal:
        terminal.wait_for("(?i)password")
        terminal.type(PASSWORD)
        secret = base64.b32decode(terminal.wait_for(r"\b([A-Z2-7]{32})\b")[1])
        terminal.wait_for("(?i)authenticator:|code|otp")
        terminal.type(code_at(secret, int(time.time()) // STEP))
        recovery = terminal.wait_for(r"\b([0-9a-f]{64})\b")[1]
        assert terminal.finish() == 0, terminal.text
    name = f"@careful/{client.name}"
    assert write(client.node, careful.token, name).status == 401
    assert write(client.node, careful.token, name, recovery).status == 201


@covers("publish otp", "`PUT /PACKAGE` with `npm-otp`")
def test_publish_otp(client: Client, tmp_path: Path) -> None:
    user, name = f"otp-{client.name}", f"@otp/{client.name}"
    careful = Client(client.name, tmp_path / "careful", client.node, user)
    recovery = enable_2fa(client.node, careful.token)
    assert write(client.node, careful.token, name).status == 401
    app = write_project(tmp_path / "app", {"name": name, "version": "1.0.0"})
    if client.name == "yarn-4":
        (app / "yarn.lock").touch()
        careful.call(app, "install")
    careful.call(app, "publish otp", otp=recovery)
    assert client.node.get(f"/{name}").status == 200


@covers("access status", "`GET /-/package/PACKAGE/visibility`; pnpm: `GET /-/package/PACKAGE/access`")
def test_access_status(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@status/{client.name}", "1.0.0")
    assert "public" in client.call(project(tmp_path / "app", client), "access status", package=name).stdout


@covers("access set", "`POST /-/package/PACKAGE/access`")
def test_access_set(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@set/{client.name}", "1.0.0")
    app = project(tmp_path / "app", client)
    client.call(app, "access set", package=name, status="public")
    refused = client.call(app, "access set", check=False, package=name, status="private")
    shown = refused.stdout + refused.stderr
    assert (refused.returncode != 0, "everybody may read it" in shown) == (True, True), shown


@covers("access collaborators", "`GET /-/package/PACKAGE/collaborators`")
def test_access_collaborators(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@collaborators/{client.name}", "1.0.0")
    shown = client.call(project(tmp_path / "app", client), "access collaborators", package=name).stdout
    assert ("ann" in shown, "write" in shown) == (True, True), shown


@covers("access packages", "`GET /-/user/USER/package`")
def test_access_packages(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@packages/{client.name}", "1.0.0")
    shown = client.call(project(tmp_path / "app", client), "access packages", user="ann").stdout
    assert name in shown


@covers("star", "`PUT /PACKAGE`; pnpm: `PUT /-/user/v1/star`")
def test_star(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@star/{client.name}", "1.0.0")
    client.call(project(tmp_path / "app", client), "star", package=name)
    assert name in stars(client.node)


@covers("unstar", "`PUT /PACKAGE`; pnpm: `DELETE /-/user/v1/star`")
def test_unstar(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@unstar/{client.name}", "1.0.0")
    star(client.node, name)
    assert name in stars(client.node)
    client.call(project(tmp_path / "app", client), "unstar", package=name)
    assert name not in stars(client.node)


@covers("stars", "`GET /-/_view/starredByUser`; pnpm: `GET /-/user/v1/star`")
def test_stars(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@stars/{client.name}", "1.0.0")
    star(client.node, name)
    assert name in client.call(project(tmp_path / "app", client), "stars").stdout.split()


def star(node: NodeProcess, name: str) -> None:
    body = {"_id": name, "users": {"ann": True}}
    path = name.replace("/", "%2f")
    answer = request("PUT", f"{node.url}/{path}", headers={"Authorization": f"Bearer {log_in(node, 'ann')}"}, body=body)
    assert answer.status == 200, answer.body


def stars(node: NodeProcess) -> list[str]:
    """Return what ann has starred."""
    path = f"/-/_view/starredByUser?key={json.dumps('ann').replace(chr(34), '%22')}"
    rows = node.get(path, Authorization=f"Bearer {log_in(node, 'ann')}").json()["rows"]
    return [row["value"] for row in rows]


def write(node: NodeProcess, token: str, name: str, otp: str = "") -> Answer:
    """Publish a package without a client."""
    headers = {"Authorization": f"Bearer {token}", **({"npm-otp": otp} if otp else {})}
    return request("PUT", f"{node.url}/{name.replace('/', '%2f')}", headers=headers, body=publish_body(name, "0.0.1"))


def make_token(node: NodeProcess, user: str) -> dict[str, str]:
    """Make a token, and return it as npm gets it."""
    headers = {"Authorization": f"Bearer {log_in(node, user)}"}
    body = {"password": PASSWORD, "readonly": True, "cidr_whitelist": []}
    made: dict[str, str] = request("POST", f"{node.url}/-/npm/v1/tokens", headers=headers, body=body).json()
    return made


def enable_2fa(node: NodeProcess, token: str) -> str:
    """Switch one-time passwords on, and return one."""

    def send(tfa: object) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return request("POST", f"{node.url}/-/npm/v1/user", headers=headers, body={"tfa": tfa}).json()["tfa"]

    url = send({"password": PASSWORD, "mode": "auth-and-writes"})
    secret = base64.b32decode(parse_qs(urlsplit(url).query)["secret"][0])
    recovery: str = send([code_at(secret, int(time.time()) // STEP)])[0]
    return recovery
