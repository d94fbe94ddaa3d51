"""`npm publish` on one node, `npm install` from others, with no upstream anywhere."""

from pathlib import Path

from support.clients import Npm, run, write_project
from support.nodes import NodeProcess, Nodes, libreseed

HELLO = "hello-of-the-swarm"
UTIL = "@acme/util"


def publish_both(npm: Npm, folder: Path) -> None:
    """Publish a scoped and an unscoped package, two versions each."""
    npm.log_in()
    for version in ("1.0.0", "1.1.0"):
        hello = write_project(
            folder / f"hello-{version}",
            {"name": HELLO, "version": version, "main": "index.js"},
            index__js=f"module.exports = () => 'hello {version}'",
        )
        util = write_project(
            folder / f"util-{version}",
            {"name": UTIL, "version": version, "main": "index.js", "dependencies": {HELLO: f"^{version}"}},
            index__js=f"module.exports = () => require('{HELLO}')() + ' from util'",
        )
        for project in (hello, util):
            npm.run(project, "publish", "--access", "public")


def install_both(npm: Npm, project: Path) -> None:
    """Install from an empty cache and run what was installed."""
    npm.clear_cache()
    write_project(
        project, {"name": "app", "version": "1.0.0", "dependencies": {UTIL: "^1.0.0", "old": f"npm:{HELLO}@1.0.0"}}
    )
    npm.run(project, "install")
    program = f"console.log(require('{UTIL}')(), require('old')())"
    assert run(["node", "-e", program], project).stdout == "hello 1.1.0 from util hello 1.0.0\n"


def pin(node: NodeProcess, key: str) -> None:
    for pattern in (HELLO, "@acme/*"):
        libreseed("trust", "add", pattern, key, "--root", str(node.root))


def test_published_packages_travel_from_node_to_node(nodes: Nodes, tmp_path: Path) -> None:
    publisher = nodes.start("publisher", "--upstream", "none")
    npm = Npm(tmp_path / "npm-publisher", publisher)
    publish_both(npm, tmp_path / "sources")
    key = publisher.publisher()
    published = publisher.get(f"/{HELLO}").json()["versions"]

    newcomer = nodes.start("newcomer", "--upstream", "none", bootstrap=publisher)
    pin(newcomer, key)
    npm_newcomer = Npm(tmp_path / "npm-newcomer", newcomer)
    install_both(npm_newcomer, tmp_path / "app1")
    assert newcomer.tarball_sources() == ["swarm"] * 3
    received = newcomer.get(f"/{HELLO}").json()["versions"]
    assert {v: m["dist"]["integrity"] for v, m in received.items()} == {
        v: m["dist"]["integrity"] for v, m in published.items()
    }

    publisher.stop()
    install_both(npm_newcomer, tmp_path / "app2")
    assert newcomer.tarball_sources() == ["swarm"] * 3 + ["store"] * 3

    third = nodes.start("third", "--upstream", "none", bootstrap=newcomer)
    pin(third, key)
    install_both(Npm(tmp_path / "npm-third", third), tmp_path / "app3")
    assert third.tarball_sources() == ["swarm"] * 3


def test_unpinned_publisher_is_refused_with_the_command_to_pin_it(nodes: Nodes, tmp_path: Path) -> None:
    publisher = nodes.start("publisher", "--upstream", "none")
    npm = Npm(tmp_path / "npm-publisher", publisher)
    publish_both(npm, tmp_path / "sources")
    key = publisher.publisher()
    newcomer = nodes.start("newcomer", "--upstream", "none", bootstrap=publisher)
    npm_newcomer = Npm(tmp_path / "npm-newcomer", newcomer)
    app = write_project(tmp_path / "app", {"name": "app", "version": "1.0.0"})

    refused = npm_newcomer.run(app, "install", HELLO, check=False)
    assert refused.returncode != 0
    assert f"libreseed trust add '{HELLO}' {key}" in refused.stderr

    libreseed("trust", "add", HELLO, key, "--root", str(newcomer.root))
    npm_newcomer.run(app, "install", HELLO)
    assert newcomer.tarball_sources() == ["swarm"]


def test_seeding_goes_on_after_a_restart(nodes: Nodes, tmp_path: Path) -> None:
    publisher = nodes.start("publisher", "--upstream", "none")
    npm = Npm(tmp_path / "npm-publisher", publisher)
    publish_both(npm, tmp_path / "sources")
    key = publisher.publisher()
    publisher.stop()
    publisher.start()

    newcomer = nodes.start("newcomer", "--upstream", "none", bootstrap=publisher)
    pin(newcomer, key)
    install_both(Npm(tmp_path / "npm-newcomer", newcomer), tmp_path / "app")
    assert newcomer.tarball_sources() == ["swarm"] * 3


def test_publishing_again_and_without_a_login_is_refused(nodes: Nodes, tmp_path: Path) -> None:
    node = nodes.start("publisher", "--upstream", "none")
    npm = Npm(tmp_path / "npm", node)
    project = write_project(tmp_path / "hello", {"name": HELLO, "version": "1.0.0"})
    stranger = npm.run(project, "publish", check=False)
    assert stranger.returncode != 0
    npm.log_in()
    npm.run(project, "publish")
    again = npm.run(project, "publish", "--force", check=False)
    assert again.returncode != 0
    assert "a version never changes" in again.stderr or "previously published" in again.stderr
