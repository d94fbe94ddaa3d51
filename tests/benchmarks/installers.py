"""`make bench-install`: the same project of 1000 packages by `libreseed ci`, `npm ci`, pnpm and bun, in one run.

Each starts from its own lock file and no node_modules, without install scripts. Warm: the client's own cache, and the
node's store, have everything. Cold: they are empty; the others download from a node that has everything. Own node:
caches are empty, and each has a new node of its own, whose only neighbour has everything. LibreSeed's has no upstream,
and gets all from the swarm (proved by the sources that the install tells); those of the others have theirs, and where
they get most from is told (without npm's header a node cannot know what to seek in the swarm).
The tree of `libreseed ci` is compared with npm's, file by file, before anything is timed.

Nothing is deleted before the end, and what was written is flushed before the next is timed: on ext4 each would else pay
for the files of the one before, whose inodes are passed over one by one for a minute after they were freed. With a
folder as argument everything is in there, such as one on tmpfs.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.clients import write_project
from support.lockfiles import NPM, lock_file, manifest
from support.nodes import NodeProcess, Nodes, running_nodes
from support.registry_clients import AnyClient
from support.trees import difference

ROUNDS = 3


@dataclass(frozen=True)
class Cost:
    """Seconds, CPU seconds of the client and all that it started, and MiB of its largest process."""

    seconds: float
    cpu: float
    memory: float


CLIENTS = ("npm-11", "pnpm-12", "bun-1")
LIBRESEED_CI = [sys.executable, "-m", "libreseed", "ci"]
OURS = "npm-11"
"""The client whose lock file and configuration `libreseed ci` takes."""


def main(parent: str | None = None) -> None:
    with tempfile.TemporaryDirectory(prefix="libreseed-bench-", dir=parent) as name, running_nodes(Path(name)) as nodes:
        folder = Path(name)
        node = nodes.start("node", observed=False)
        print("filling the node from the upstream …", flush=True)
        warm = {name: AnyClient(name, folder / "warm" / name, node.url) for name in CLIENTS}
        locks = {name: lock_file("large", client.kind.lock, node.url) for name, client in warm.items()}
        for name, client in warm.items():
            run_other(client, folder, locks[name])
        node.settled()
        compare_trees(folder, node, warm[OURS], locks[OURS])
        print(f"{'median of ' + str(ROUNDS):32}{'seconds':>10}{'CPU s':>10}{'MiB':>10}")
        for way in ("warm", "cold", "own node"):
            costs: dict[str, list[Cost]] = {}
            for number in range(ROUNDS):
                place = f"{way.split()[0]}-{number}"
                for name in CLIENTS:
                    home = folder / f"{place}-{name}"
                    title = name
                    if way == "own node":
                        cost, source = run_other_with_own_node(nodes, node, name, home, folder, locks[name])
                        title += f" ({source})"
                    else:
                        client = warm[name] if way == "warm" else AnyClient(name, home, node.url)
                        cost = run_other(client, folder, locks[name])
                    costs.setdefault(title, []).append(cost)
                if way == "cold":
                    continue
                for title, options in (("libreseed ci", ()), ("libreseed ci, copies", ("--link", "copy"))):
                    cost = run_ours(folder, nodes, node, locks[OURS], options, f"{place}-{len(options)}")
                    costs.setdefault(title, []).append(cost)
            for title, found in costs.items():
                middle = [statistics.median(values) for values in zip(*map(astuple, found), strict=True)]
                print(f"{way + ', ' + title:32}{middle[0]:10.2f}{middle[1]:10.2f}{middle[2]:10.0f}", flush=True)


def astuple(cost: Cost) -> tuple[float, float, float]:
    return cost.seconds, cost.cpu, cost.memory


def new_project(folder: Path, file: str, lock: str) -> Path:
    return write_project(Path(tempfile.mkdtemp(prefix="app-", dir=folder)), manifest("large"), **{file: lock})


def run_other(client: AnyClient, folder: Path, lock: str) -> Cost:
    app = new_project(folder, client.kind.lock, lock)
    cost = timed(client.words("ci"), app, client.environment)
    assert (app / "node_modules/webpack/package.json").exists()
    return cost


def run_other_with_own_node(
    nodes: Nodes, neighbour: NodeProcess, name: str, home: Path, folder: Path, lock: str
) -> tuple[Cost, str]:
    """Time another client with a new node of its own, which may ask `neighbour`; tell whence that had most."""
    mine = nodes.start(f"{home.name}-node", bootstrap=neighbour, observed=False)
    # A lock file names the registry that it was written by.
    cost = run_other(AnyClient(name, home, mine.url), folder, lock.replace(neighbour.url, mine.url))
    served = mine.status()["served"]
    source = max(served, key=lambda each: int(served[each]))
    assert served[source] > 800, served
    mine.stop()
    return cost, source


def run_ours(folder: Path, nodes: Nodes, node: NodeProcess, lock: str, options: Sequence[str], name: str) -> Cost:
    """Time `libreseed ci`; a name with "own" has a new node that can only ask `node`."""
    cold = name.startswith("own")
    mine = nodes.start(name, "--upstream", "none", bootstrap=node, observed=False) if cold else node
    app = new_project(folder, NPM, lock)
    command = [*LIBRESEED_CI, "--json", "--registry", mine.url, *options]
    environment = AnyClient(OURS, folder / f"home-{name}", mine.url).environment
    if not cold:  # so that the unpacked files are there
        timed(command, app, environment)
        (app / ".libreseed_modules").rename(app / "first")
    cost = timed(command, app, environment, folder / "summary")
    summary = json.loads((folder / "summary").read_text())
    # Of a tarball that is wanted in two places the second comes from the store at once.
    assert set(summary["sources"]) <= ({"swarm", "store"} if cold else {"store"}), summary
    assert summary["sources"]["swarm" if cold else "store"] > 900, summary
    assert summary["packages"] > 900
    if cold:
        mine.stop()
    return cost


def compare_trees(folder: Path, node: NodeProcess, npm: AnyClient, lock: str) -> None:
    trees = []
    commands = {
        ".libreseed_modules/node_modules": [*LIBRESEED_CI, "--registry", node.url],
        "node_modules": npm.words("ci"),
    }
    for place, command in commands.items():
        app = new_project(folder, NPM, lock)
        timed(command, app, npm.environment)
        trees.append(app / place)
    differing = difference(*trees)
    assert not differing, sorted(differing)[:20]
    print("the trees of npm ci and libreseed ci are the same, file by file and mode by mode")


def timed(command: Sequence[str], folder: Path, env: dict[str, str], output: Path | None = None) -> Cost:
    """Run a command to its end, which must be good."""
    with (output or folder.with_suffix(".out")).open("wb") as out, folder.with_suffix(".err").open("wb") as errors:
        os.sync()
        started = time.perf_counter()
        env = {**env, "npm_config_audit": "false"}
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=out, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command}\n{folder.with_suffix('.err').read_text()[-2000:]}"
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
