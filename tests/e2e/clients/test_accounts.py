"""Who is at the client."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.clients import write_project
from support.compatibility import covers
from support.nodes import NodeProcess, request
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


@covers("whoami", "`GET /-/whoami`")
def test_whoami(client: Client, tmp_path: Path) -> None:
    app = project(tmp_path / "app", client)
    assert "ann" in client.call(app, "whoami").stdout.split()
    stranger = Client(client.name, tmp_path / "stranger", client.node)
    assert stranger.call(app, "whoami", check=False).returncode != 0


@covers("logout", "`DELETE /-/user/token/TOKEN`")
def test_logout(client: Client, tmp_path: Path) -> None:
    token = (client.home / ".npmrc").read_text().partition("_authToken=")[2].split()[0]
    assert whoami(client.node, token) == 200
    client.call(project(tmp_path / "app", client), "logout")
    assert whoami(client.node, token) == 401


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
