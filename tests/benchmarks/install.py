"""`make bench`: `npm ci` from the swarm, from the store and straight from the upstream, in one run.

Every figure is proved by its path: the newcomer has no upstream, and each answer's X-Libreseed-Source is counted.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from support.clients import Npm, run, write_locked
from support.lockfiles import tarballs
from support.nodes import NodeProcess, Nodes, running_nodes

ROUNDS = 3
PROJECTS = ("express", "eslint")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="libreseed-bench-") as name:
        folder = Path(name)
        with running_nodes(folder) as nodes:
            mirror = nodes.start("mirror")
            for project in PROJECTS:
                fill(mirror, folder, project)
            mirror.settled()
            bench_ci(nodes, mirror, folder)
            bench_tarballs(nodes, mirror)


def fill(mirror: NodeProcess, folder: Path, project: str) -> None:
    """Install a project through the mirror."""
    at_mirror = write_locked(folder / "at-mirror" / project, project, mirror.url)
    Npm(folder / f"npm-mirror-{project}", mirror).run(at_mirror, "ci", "--ignore-scripts")


def bench_ci(nodes: Nodes, mirror: NodeProcess, folder: Path) -> None:
    """Time `npm ci` of the express lock file, each time with an empty npm cache."""
    seconds: dict[str, list[float]] = {"swarm": [], "store": [], "upstream": []}
    tarballs = 0
    for number in range(ROUNDS):
        newcomer = nodes.start(f"newcomer-{number}", "--upstream", "none", bootstrap=mirror)
        npm = Npm(folder / f"npm-{number}", newcomer)
        for source in ("swarm", "store"):
            before = len(newcomer.tarball_sources())
            seconds[source].append(time_ci(npm, folder, mirror.url))
            sources = newcomer.tarball_sources()[before:]
            assert set(sources) == {source}, sources
            tarballs = len(sources)
        newcomer.stop()
        direct = Npm(folder / f"npm-direct-{number}", newcomer)
        seconds["upstream"].append(time_ci(direct, folder, mirror.url, upstream=True))
    print(f"npm ci of express ({tarballs} tarballs), empty npm cache, median of {ROUNDS}:")
    floor = statistics.median(seconds["upstream"])
    for source, values in seconds.items():
        middle = statistics.median(values)
        how = "straight from the upstream" if source == "upstream" else f"X-Libreseed-Source: {source}"
        print(f"  {middle:6.2f} s  {middle / floor:5.2f} x upstream   {how}")


def time_ci(npm: Npm, folder: Path, locked_to: str, *, upstream: bool = False) -> float:
    npm.clear_cache()
    with tempfile.TemporaryDirectory(dir=folder) as name:
        project = write_locked(Path(name), "express", locked_to)
        environment = npm.environment
        if upstream:
            registry = run(["npm", "config", "get", "registry"], folder).stdout.strip()
            environment = {**environment, "npm_config_registry": registry}
        started = time.perf_counter()
        run(["npm", "ci", "--ignore-scripts"], project, environment)
        return time.perf_counter() - started


def bench_tarballs(nodes: Nodes, mirror: NodeProcess) -> None:
    """Time one cold tarball after the other: the lookup of its holders, the torrent, the checks and the store."""
    newcomer = nodes.start("newcomer-tarballs", "--upstream", "none", bootstrap=mirror)
    wanted = {path: integrity for project in PROJECTS for path, integrity in tarballs(project).items()}
    times, lengths = [], []
    for path, integrity in wanted.items():
        started = time.perf_counter()
        answer = newcomer.get(path, **{"pacote-integrity": integrity})
        elapsed = (time.perf_counter() - started) * 1000
        if answer.status != 200:
            continue  # of another platform: the mirror never had it
        assert answer.source == "swarm", answer.source
        if len(answer.body) < 100_000:
            times.append(elapsed)
            lengths.append(len(answer.body))
    times.sort()
    print(
        f"one cold tarball from the swarm, lookup included ({len(times)} below 100 KB,"
        f" median {statistics.median(lengths) / 1000:.0f} KB):"
    )
    print(
        f"  median {statistics.median(times):.1f} ms   p99 {times[int(len(times) * 0.99)]:.1f} ms"
        f"   max {times[-1]:.1f} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
