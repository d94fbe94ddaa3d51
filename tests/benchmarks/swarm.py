"""`make bench-swarm`: what a fleet costs the one that it fetches from, in namespaces of this machine.

K hosts that have nothing start in one second behind a seeder whose link carries 50 Mbit/s. "copies" is what left the
seeder in multiples of what one host needs, "slowest" the time of the slowest host, "times" that in multiples of the
time in which one copy passes the link, "cpu" the seconds of all nodes and clients. Each host's path is proved by
X-Libreseed-Source. "warm" hosts have everything themselves: what remains is what clients and nodes take on this
machine's processors. All files are in memory, if there is /dev/shm: that hosts share one disk is not what is measured.
"""

import argparse
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE

from support.fleet import HTTP_PORT, OVERLAY_PORT, Fleet, Host, running_fleet
from support.nodes import NodeProcess
from support.synthetic import Package, big_package, serving, small_packages, write_locked_project

MBIT = 50.0
TIMEOUT = 300

FETCH = r"""
import json, subprocess, sys, time
base, file, config = sys.argv[1:]
wanted = json.load(open(file))
operations = [
    f'url = "{base}{path}"\noutput = "/dev/null"\n'
    f'header = "pacote-integrity: {integrity}"\nheader = "Host: localhost"\n'
    'write-out = "%{http_code} %{size_download} %header{x-libreseed-source}\\n"\n'
    for path, integrity, _ in wanted
]
open(config, "w").write("next\n".join(operations))
command = ["curl", "--no-progress-meter", "--parallel", "--parallel-max", "15", "--max-time", "280", "--config", config]
print("ready", flush=True)
sys.stdin.readline()
time.sleep(float(sys.stdin.readline()))
started = time.perf_counter()
done = subprocess.run(command, capture_output=True, text=True)
took = time.perf_counter() - started
answers = [line.split() for line in done.stdout.splitlines()]
assert done.returncode == 0 and {code for code, *_ in answers} == {"200"}, (done.stderr, answers[:3])
assert sorted(int(size) for _, size, *_ in answers) == sorted(length for *_, length in wanted), answers[:3]
print(json.dumps([took, sorted({source for *_, source in answers})]), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of a fleet took."""

    seconds: list[float]
    copies: float
    cpu: float
    ideal: float

    def line(self, title: str) -> str:
        slowest = max(self.seconds)
        times = slowest / self.ideal if self.ideal else 0.0
        return f"{title:44}{self.copies:8.2f}{slowest:9.2f}{times:8.2f}{min(self.seconds):9.2f}{self.cpu:8.1f}"


HEADER = f"{'':44}{'copies':>8}{'slowest':>9}{'times':>8}{'fastest':>9}{'cpu':>8}"


def fill(root: Path, packages: Sequence[Package]) -> None:
    """Let a node get all packages from a registry, as any node does, and keep them below `root`."""
    with serving(packages) as url:
        node = NodeProcess(root, "--upstream", url, observed=False)
        try:
            for package in packages:
                assert node.get(package.path).status == 200
            node.settled()
        finally:
            node.stop()


class Run:
    """One run of a fleet: `way` is "ci", "npm" or "curl" (15 requests at once), perhaps by HTTP."""

    def __init__(self, folder: Path, fleet: Fleet, packages: Sequence[Package], way: str) -> None:
        self.folder = folder
        self.fleet = fleet
        self.packages = packages
        self.way = way
        self.hosts = fleet.others
        self.total = sum(len(package.tarball) for package in packages)

    def measure(self, *, by_http: bool = False, delays: Sequence[float] = (), killed: int | None = None) -> Result:
        """Let all hosts fetch at once, or each after its delay; host number `killed` dies in the middle."""
        wanted = self.folder / "wanted.json"
        wanted.write_text(json.dumps([(each.path, each.integrity, len(each.tarball)) for each in self.packages]))
        hosts = self.hosts
        before = [host.cpu for host in self.fleet.hosts]
        sent = self.fleet.seeder.sent
        clients = [
            self._client(host, wanted, by_http=by_http, dies=number == killed) for number, host in enumerate(hosts)
        ]
        for client in clients:
            assert client.stdout is not None
            assert client.stdout.readline() == "ready\n"
        for client, delay in zip(clients, delays or [0.0] * len(hosts), strict=True):
            assert client.stdin is not None
            client.stdin.write(f"\n{delay}\n")
            client.stdin.flush()
        if killed is not None:
            time.sleep(self.total * 8 / MBIT / 1e6 / 2)
            hosts[killed].kill()
        seconds, cpu = [], 0.0
        for host, client in zip(hosts, clients, strict=True):
            assert client.stdout is not None
            line = client.stdout.readline()
            _, status, usage = os.wait4(client.pid, 0)
            client.returncode = os.waitstatus_to_exitcode(status)
            cpu += usage.ru_utime + usage.ru_stime
            if killed is not None and host is hosts[killed]:
                continue
            assert line, f"{host.name}: {host.text()[-2000:]}"
            took, sources = json.loads(line)
            assert by_http or set(sources) <= {"swarm", "store"}, sources
            seconds.append(took)
        cpu += sum(host.cpu - first for host, first in zip(self.fleet.hosts, before, strict=True) if host.cpu)
        copies = (self.fleet.seeder.sent - sent) / self.total
        return Result(seconds, copies, cpu, self.total * 8 / MBIT / 1e6)

    def _client(self, host: Host, wanted: Path, *, by_http: bool, dies: bool) -> "subprocess.Popen[str]":
        where = self.fleet.seeder.address if by_http else "localhost"
        if self.way == "curl":
            config = self.folder / f"{host.name}-{by_http}.curl"
            command = [sys.executable, "-c", FETCH, f"http://{where}:{HTTP_PORT}", str(wanted), str(config)]
        else:
            project = write_locked_project(
                self.folder / f"{host.name}-{self.way}-{by_http}", self.packages, f"http://{where}:{HTTP_PORT}"
            )
            command = [sys.executable, "-c", CLIENT, self.way, f"http://{where}:{HTTP_PORT}", str(project)]
        return host.popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL if dies else None)


CLIENT = r"""
import json, os, subprocess, sys, time
way, url, project = sys.argv[1:]
home = project + ".home"
os.mkdir(home)
environment = dict(os.environ, HOME=home, XDG_CACHE_HOME=home)
environment |= {"npm_config_cache": home + "/npm", "npm_config_registry": url + "/"}
command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
if way == "ci":
    command = [sys.executable, "-m", "libreseed", "ci", "--registry", url, "--json"]
print("ready", flush=True)
sys.stdin.readline()
time.sleep(float(sys.stdin.readline()))
started = time.perf_counter()
done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
took = time.perf_counter() - started
assert done.returncode == 0, done.stderr[-2000:]
sources = list(json.loads(done.stdout)["sources"]) if way == "ci" else ["swarm"]
print(json.dumps([took, sources]), flush=True)
"""


@contextlib.contextmanager
def fleet_of(folder: Path, count: int, seed_root: Path, *options: str) -> Iterator[Fleet]:
    """Start a fleet whose first host has everything, and whose others have nothing."""
    with running_fleet(count, mbit=MBIT) as fleet:
        fleet.seeder.serve(seed_root, *options)
        for host in fleet.others:
            host.serve(folder / host.name, *options, bootstrap=fleet.seeder)
        for host in fleet.hosts:
            host.joined(count)
        yield fleet


@contextlib.contextmanager
def lying(folder: Path, fleet: Fleet, packages: Sequence[Package]) -> Iterator[None]:
    """Let two of the hosts lie: one has wrong bytes for everything, and one is slow with them."""
    wanted = folder / "lies.json"
    wanted.write_text(json.dumps([each.integrity for each in packages]))
    contact = f"{fleet.seeder.address}:{OVERLAY_PORT}"
    liars = []
    for host, limit in zip(fleet.others[-LIARS:], (0, 20_000), strict=True):
        host.stop()
        command = [sys.executable, str(Path(__file__).with_name("lying.py")), str(folder / f"lies-{limit}")]
        liars.append(host.popen([*command, host.address, contact, str(limit), str(wanted)], stdin=PIPE, stdout=PIPE))
    try:
        for liar in liars:
            assert liar.stdout is not None
            assert liar.stdout.readline() == "ready\n"
        yield
    finally:
        for liar in liars:
            liar.kill()
            liar.communicate()


LIARS = 2
CASES = ("plain", "warm", "http", "staggered", "dying", "lying")
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder with another name is made in it


def measure(folder: Path, count: int, root: Path, packages: Sequence[Package], way: str, case: str) -> Result:
    """Measure one fleet of `count` hosts in one of the CASES."""
    folder.mkdir()
    with fleet_of(folder, count, root) as fleet, contextlib.ExitStack() as stack:
        run = Run(folder, fleet, packages, way)
        if case == "lying":
            stack.enter_context(lying(folder, fleet, packages))
            run.hosts = fleet.others[:-LIARS]
        if case == "warm":
            run.measure()
            again = folder / "again"
            again.mkdir()
            run = Run(again, fleet, packages, way)
        delays = [number * STAGGER for number in range(count)] if case == "staggered" else ()
        result = run.measure(by_http=case == "http", delays=delays, killed=0 if case == "dying" else None)
    shutil.rmtree(folder)
    return result


STAGGER = 1.0
"""Seconds between the starts of two hosts, where they come one after the other."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hosts", type=int, nargs="*", default=[1, 4, 8, 16])
    options.add_argument("--what", nargs="*", default=["big", "small"], choices=["big", "small"])
    options.add_argument("--ways", nargs="*", default=["curl", "ci", "npm"], choices=["curl", "ci", "npm"])
    options.add_argument("--cases", nargs="*", default=CASES, choices=CASES)
    options.add_argument("--count", type=int, default=160, help="how many small packages")
    chosen = options.parse_args()
    where = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="libreseed-bench-", dir=where) as name:
        print(HEADER, flush=True)
        for what in chosen.what:
            packages = big_package() if what == "big" else small_packages(chosen.count)
            root = Path(name) / f"seed-{what}"
            fill(root, packages)
            for case, count, way in itertools.product(chosen.cases, chosen.hosts, chosen.ways):
                # The other cases are measured with 8 hosts, by plain requests.
                if case in ("plain", "warm") or (count == OTHER_CASES and way == "curl"):
                    result = measure(Path(name) / f"{what}-{case}-{way}-{count}", count, root, packages, way, case)
                    print(result.line(f"{what}, {way}, {case}, {count} hosts"), flush=True)


OTHER_CASES = 8

if __name__ == "__main__":
    main()
