"""`make bench-node`: what the shims cost Node at its start and with many packages.

Each round runs every program under plain `node_modules` twice, the second as control, and from `.libreseed_modules` as
`libreseed run` does; what counts is the lower quartile of the rounds, which a busy machine disturbs least. The aim for
Nodes with synchronous hooks is 1.3 at most.
"""

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from support.clients import tool
from support.trees import OURS, package, write, write_shims

VERSIONS = ("20", "22", "24", "26")
ROUNDS = 30
PACKAGES = 500
PROGRAMS = ("start.cjs", "app.cjs", "app.mjs")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="libreseed-bench-") as name:
        plain = write_app(Path(name) / "plain", "node_modules")
        ours = write_app(Path(name) / "libre", OURS)
        options = {"NODE_OPTIONS": f'--require "{write_shims(ours)}/register.cjs"'}
        runs = {"plain": (plain, {}), "control": (plain, {}), "ours": (ours, options)}
        print(f"the lower quartile of {ROUNDS} rounds; an application loads {PACKAGES} packages")
        for version in VERSIONS:
            node = str(tool(f"node@{version}"))
            for program in PROGRAMS:
                seconds: dict[str, list[float]] = {kind: [] for kind in runs}
                for number in range(ROUNDS):
                    for kind in list(runs)[:: 1 if number % 2 else -1]:
                        seconds[kind].append(time_node(node, program, *runs[kind]))
                best = {kind: statistics.quantiles(times, n=4)[0] for kind, times in seconds.items()}
                print(
                    f"Node {version} {program:9} plain {best['plain'] * 1000:6.1f} ms,"
                    f" control {best['control'] / best['plain']:.2f}, ours {best['ours'] / best['plain']:.2f}"
                )


def write_app(root: Path, tree: str) -> Path:
    names = [f"package-{number}" for number in range(PACKAGES)]
    write(root, {"package.json": "{}", "start.cjs": ""})
    write(root, {"app.cjs": "\n".join(f"require('{name}');" for name in names)})
    write(root, {"app.mjs": "\n".join(f"import '{name}/index.mjs';" for name in names)})
    for name in names:
        write(root, package(f"{tree}/{name}") | {f"{tree}/{name}/index.mjs": "export default 1;"})
    return root


def time_node(node: str, program: str, root: Path, options: dict[str, str]) -> float:
    environment = {**os.environ, "NODE_OPTIONS": "", **options}
    started = time.perf_counter()
    subprocess.run([node, program], cwd=root, env=environment, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
