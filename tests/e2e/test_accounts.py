"""Accounts, as people use them: real npm in a terminal, and the login page by its form. What each client can do is in
`clients/test_accounts.py`."""

import base64
import os
import re
import sys
import time
from pathlib import Path

import pytest

from libreseed.accounts.totp import STEP, code_at
from support.clients import Npm, run, tool, write_project
from support.nodes import NodeProcess, Nodes, request
from support.weblogin import URL, fill_in

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse"


@pytest.fixture
def node(nodes: Nodes) -> NodeProcess:
    return nodes.start("node", "--upstream", "none")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project", {"name": "@acme/tool", "version": "1.0.0"})


@pytest.mark.parametrize("client", ["npm", "npm@12"])
def test_the_first_account(
    node: NodeProcess, project: Path, tmp_path: Path, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = Npm(tmp_path / "npm", node, tool(client) if "@" in client else client)
    command = "adduser"
    if client == "npm@12":  # it has no adduser any more; the page makes the first account all the same
        command = "login"
        monkeypatch.setenv("PATH", f"{tool('node@24').parent}{os.pathsep}{os.environ['PATH']}")
    with npm.terminal(project, command) as terminal:
        page = fill_in(terminal.wait_for(URL)[1], name="ann", password=PASSWORD, again=PASSWORD)
        assert "You are logged in" in page
        assert terminal.finish() == 0, terminal.text
    assert npm.run(project, "whoami").stdout == "ann\n"


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
    command = [sys.executable, "-m", "libreseed", "ci", "--registry", node.url, "--link", "copy"]
    assert "You are not logged in here" in run(command, app, stranger.environment, check=False).stderr
    assert "1 package in" in run(command, app, carl.environment).stdout
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
