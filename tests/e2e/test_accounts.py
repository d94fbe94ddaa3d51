"""Accounts, as people use them: real npm and pnpm in a terminal, and the login page by its form."""

import base64
import os
import re
import time
from pathlib import Path

import pytest

from libreseed.accounts.totp import STEP, code_at
from support.clients import Npm, tool, write_project
from support.nodes import NodeProcess, Nodes, request
from support.terminal import Terminal
from support.weblogin import URL, fill_in

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse"
PNPM = ["pnpm@11", "pnpm@12"]


@pytest.fixture
def node(nodes: Nodes) -> NodeProcess:
    return nodes.start("node", "--upstream", "none")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project", {"name": "@acme/tool", "version": "1.0.0"})


def use_newer_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run what follows by Node 24: npm 12 and pnpm 11 need more than 20."""
    monkeypatch.setenv("PATH", f"{tool('node@24').parent}{os.pathsep}{os.environ['PATH']}")


def log_in_on_page(terminal: Terminal, **fields: str) -> None:
    page = fill_in(terminal.wait_for(URL)[1], name="ann", password=PASSWORD, **fields)
    assert "You are logged in" in page


@pytest.mark.parametrize("client", ["npm", "npm@10", "npm@12"])
def test_web_login(
    node: NodeProcess, project: Path, tmp_path: Path, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = Npm(tmp_path / "npm", node, tool(client) if "@" in client else client)
    first = "adduser"
    if client == "npm@12":  # it has no adduser any more; the page makes the first account all the same
        first = "login"
        use_newer_node(monkeypatch)
    for command, fields in ((first, {"again": PASSWORD}), ("login", {})):
        with npm.terminal(project, command) as terminal:
            log_in_on_page(terminal, **fields)
            assert terminal.finish() == 0, terminal.text
            assert "Logged in on" in terminal.text
        assert npm.run(project, "whoami").stdout == "ann\n"
        npm.run(project, "logout")
        assert "ENEEDAUTH" in npm.run(project, "whoami", check=False).stderr


@pytest.mark.parametrize("client", PNPM)
def test_pnpm_login(
    node: NodeProcess, project: Path, tmp_path: Path, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_newer_node(monkeypatch)
    Npm(tmp_path / "npm", node).log_in()
    home = tmp_path / "home"
    environment = Npm(tmp_path / "npm-pnpm", node).environment | {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    pnpm = str(tool(client))
    with Terminal([pnpm, "login", "--registry", f"{node.url}/"], project, environment) as terminal:
        log_in_on_page(terminal)
        assert terminal.finish() == 0, terminal.text
    with Terminal([pnpm, "whoami", "--registry", f"{node.url}/"], project, environment) as terminal:
        assert terminal.finish() == 0, terminal.text
        assert "ann" in terminal.text


def test_legacy_login(node: NodeProcess, project: Path, tmp_path: Path) -> None:
    npm = Npm(tmp_path / "npm", node)

    def log_in(password: str) -> Terminal:
        with npm.terminal(project, "login", "--auth-type=legacy") as terminal:
            terminal.answer("Username:", "ann")
            terminal.answer("Password:", password)
            terminal.finish()
        return terminal

    assert "Logged in on" in log_in(PASSWORD).text
    assert npm.run(project, "whoami").stdout == "ann\n"
    wrong = log_in("wrong")
    assert "E401" in wrong.text
    assert "Logged in on" not in wrong.text
    assert "Logged in on" in log_in(PASSWORD).text


def test_profile(node: NodeProcess, project: Path, tmp_path: Path) -> None:
    npm = Npm(tmp_path / "npm", node)
    npm.log_in()
    npm.run(project, "profile", "set", "fullname", "Ann Onym")
    assert "Set email to" in npm.run(project, "profile", "set", "email", "ann@example.test").stdout
    shown = npm.run(project, "profile", "get").stdout
    for line in ("name: ann", "email: ann@example.test(unverified)", "fullname: Ann Onym", "two-factor auth: disabled"):
        assert line in shown.splitlines()
    with npm.terminal(project, "profile", "set", "password") as terminal:
        terminal.answer("Current password:", PASSWORD)
        terminal.answer("New password:", "better horse")
        terminal.answer("Again:", "better horse")
        assert terminal.finish() == 0, terminal.text
    answer = request("PUT", f"{node.url}/-/user/org.couchdb.user:ann", body={"name": "ann", "password": "better horse"})
    assert answer.status == 201


def test_tokens(node: NodeProcess, project: Path, tmp_path: Path) -> None:
    npm = Npm(tmp_path / "npm", node)
    npm.log_in()
    created = npm.run(project, "token", "create", f"--password={PASSWORD}", "--name=for reading", "--read-only").stdout
    token = created.removeprefix("Created token ").split()[0]
    reader = Npm(tmp_path / "npm-reader", node)
    reader.use_token(token)
    assert reader.run(project, "whoami").stdout == "ann\n"
    refused = reader.run(project, "publish", check=False)
    assert refused.returncode != 0
    assert "This token may only read." in refused.stderr

    wanted = ["--packages-and-scopes-permission=read-write", "--scopes=@acme", "--cidr=127.0.0.0/8", "--expires=7"]
    created = npm.run(project, "token", "create", f"--password={PASSWORD}", "--name=CI", *wanted).stdout
    assert "with IP whitelist: 127.0.0.0/8" in created
    assert "expires: 2" in created
    publisher = Npm(tmp_path / "npm-publisher", node)
    publisher.use_token(created.removeprefix("Created token ").split()[0])
    publisher.run(project, "publish")
    other = write_project(tmp_path / "other", {"name": "other", "version": "1.0.0"})
    assert "This token may change @acme/* only" in publisher.run(other, "publish", check=False).stderr

    listed = npm.run(project, "token", "list").stdout
    assert len(re.findall(r"^Token ls_", listed, re.MULTILINE)) == 3
    assert "name CI created" in listed
    key = re.search(r"with id (\w+) name for reading", listed)
    assert key is not None
    assert npm.run(project, "token", "revoke", key[1]).stdout == "Removed 1 token\n"
    assert reader.run(project, "whoami", check=False).returncode != 0

    elsewhere = npm.run(project, "token", "create", f"--password={PASSWORD}", "--cidr=192.0.2.0/24").stdout
    reader.use_token(elsewhere.removeprefix("Created token ").split()[0])
    assert "EAUTHIP" in reader.run(project, "whoami", check=False).stderr
    wrong = npm.run(project, "token", "create", "--password=wrong", check=False)
    assert "Wrong name or password" in wrong.stderr or "E401" in wrong.stderr
    assert "no organizations" in npm.run(project, "token", "create", "--password=x", "--orgs=a", check=False).stderr


def test_tokens_of_npm_10(node: NodeProcess, project: Path, tmp_path: Path) -> None:
    npm = Npm(tmp_path / "npm", node, tool("npm@10"))
    npm.log_in()
    tokens = {}
    for kind, options in (("read only", ["--read-only"]), ("publish", [])):
        with npm.terminal(project, "token", "create", *options) as terminal:
            terminal.answer("password:", PASSWORD)
            tokens[kind] = terminal.wait_for(rf"Created {kind} token (ls_\S+)")[1]
            assert terminal.finish() == 0, terminal.text
    reader = Npm(tmp_path / "npm-reader", node, tool("npm@10"))
    reader.use_token(tokens["read only"])
    assert "This token may only read." in reader.run(project, "publish", check=False).stderr
    reader.use_token(tokens["publish"])
    reader.run(project, "publish")
    assert "Read only token ls_" in npm.run(project, "token", "list").stdout
    npm.run(project, "token", "revoke", tokens["publish"])
    assert reader.run(project, "whoami", check=False).returncode != 0


def test_one_time_passwords(node: NodeProcess, project: Path, tmp_path: Path) -> None:
    npm = Npm(tmp_path / "npm", node)
    npm.log_in()
    with npm.terminal(project, "profile", "enable-2fa", "auth-and-writes") as terminal:
        terminal.answer("password:", PASSWORD)
        secret = base64.b32decode(terminal.wait_for(r"Or enter code: ([A-Z2-7]{32})")[1])
        step = int(time.time()) // STEP
        terminal.answer("authenticator:", code_at(secret, step))
        recovery = [terminal.wait_for(r"\b([0-9a-f]{64})\b")[1] for _ in range(5)]
        assert terminal.finish() == 0, terminal.text
    assert "two-factor auth: auth-and-writes" in npm.run(project, "profile", "get").stdout
    assert "EOTP" in npm.run(project, "publish", check=False).stderr
    assert "EOTP" in npm.run(project, "publish", f"--otp={code_at(secret, step - 9)}", check=False).stderr
    npm.run(project, "publish", f"--otp={recovery[0]}")
    with npm.terminal(project, "dist-tag", "add", "@acme/tool@1.0.0", "beta") as terminal:
        terminal.answer("Enter OTP:", recovery[1])
        assert terminal.finish() == 0, terminal.text
    with npm.terminal(project, "login", "--auth-type=legacy") as terminal:
        terminal.answer("Username:", "ann")
        terminal.answer("Password:", PASSWORD)
        terminal.answer("Enter OTP:", recovery[2])
        assert terminal.finish() == 0, terminal.text
    with npm.terminal(project, "profile", "disable-2fa") as terminal:
        terminal.answer("password:", PASSWORD)
        terminal.answer("Enter OTP:", recovery[3])
        assert terminal.finish() == 0, terminal.text
    npm.run(project, "dist-tag", "rm", "@acme/tool", "beta")


CONFIG = """
[access."@acme/*"]
read = ["$authenticated"]
publish = ["team"]
unpublish = ["ann"]

[groups]
team = ["ann", "bob"]
"""


def test_access_rules(nodes: Nodes, project: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    node = nodes.start("node", "--upstream", "none", "--config", str(config))
    ann, bob, carl = (Npm(tmp_path / f"npm-{name}", node) for name in ("ann", "bob", "carl"))
    for npm, name in ((ann, "ann"), (bob, "bob"), (carl, "carl")):
        npm.log_in(name)
    stranger = Npm(tmp_path / "npm-stranger", node)
    ann.run(project, "publish")
    app = write_project(tmp_path / "app", {"name": "app", "version": "1.0.0"})
    assert "E401" in stranger.run(app, "install", "@acme/tool", check=False).stderr
    carl.run(app, "install", "@acme/tool")
    assert "E401" in stranger.run(app, "ci", check=False).stderr
    second = write_project(tmp_path / "second", {"name": "@acme/tool", "version": "2.0.0"})
    assert "carl may not publish @acme/tool here" in carl.run(second, "publish", check=False).stderr
    bob.run(second, "publish")
    assert "bob may not unpublish" in bob.run(app, "unpublish", "@acme/tool@1.0.0", check=False).stderr
    ann.run(app, "unpublish", "@acme/tool@1.0.0")
    assert "@acme/tool" not in stranger.run(app, "search", "tool").stdout
    assert "@acme/tool" in carl.run(app, "search", "tool").stdout

    assert carl.run(app, "access", "get", "status", "@acme/tool").stdout == "@acme/tool: private\n"
    assert "ann: read-write" in carl.run(app, "access", "list", "collaborators", "@acme/tool").stdout
    assert bob.run(app, "access", "list", "packages").stdout == "@acme/tool: read-write\n"
    refused = ann.run(app, "access", "set", "status=public", "@acme/tool", check=False)
    assert "by a rule in [access] of the node's --config file" in refused.stderr
    assert "npm profile enable-2fa" in ann.run(app, "access", "set", "mfa=publish", "@acme/tool", check=False).stderr
