"""Several hosts on one machine: a network namespace each, all on one bridge, the first one behind a slow link.

It needs root and Debian's iproute2. Nothing of it reaches beyond the namespaces.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

HTTP_PORT, OVERLAY_PORT = 4880, 4881
READY_SECONDS = 60
_BURST = "64kb"
_QUEUE = "50ms"
"""How long the slow link lets packets wait before it drops them."""


def _run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


class Host:
    """One host of a fleet, with at most one node on it."""

    def __init__(self, fleet: "Fleet", number: int) -> None:
        self.number = number
        self.name = f"{fleet.name}-{number}"
        self.address = f"10.92.{number >> 8}.{(number & 255) + 1}"
        self.url = f"http://localhost:{HTTP_PORT}"
        self._node: subprocess.Popen[str] | None = None
        self._log: Path | None = None

    def popen(self, command: Sequence[str], **options: Any) -> "subprocess.Popen[str]":
        """Start a program on this host."""
        return subprocess.Popen(["ip", "netns", "exec", self.name, *command], text=True, **options)

    def run(self, *command: str) -> str:
        """Run a program on this host to its end, and return what it prints."""
        return _run("ip", "netns", "exec", self.name, *command)

    def serve(self, root: Path, *options: str, bootstrap: "Host | None" = None) -> None:
        """Start a node that listens on all addresses, without upstream; returns when it is ready."""
        command = [sys.executable, "-m", "libreseed", "serve", "--root", str(root), "--host", "0.0.0.0"]
        command += ["--port", str(HTTP_PORT), "--overlay-port", str(OVERLAY_PORT), "--no-lan", *options]
        command += ["--allow-host", self.address] if "--upstream" in options else ["--upstream", "none"]
        if bootstrap is not None:
            command += ["--bootstrap", f"{bootstrap.address}:{OVERLAY_PORT}"]
        self._log = root.with_name(root.name + ".log")
        with self._log.open("ab") as log:
            self._node = self.popen(command, stdout=subprocess.PIPE, stderr=log)
        assert self._node.stdout is not None
        line = self._node.stdout.readline()
        assert "ready at" in line, f"{line}\n{self._log.read_text()}"

    def status(self) -> dict[str, Any]:
        """Return the node's status."""
        answer: dict[str, Any] = json.loads(self.run("curl", "-s", f"{self.url}/-/libreseed/status"))
        return answer

    def joined(self, peers: int) -> None:
        """Wait until the node knows so many others."""
        end = time.monotonic() + READY_SECONDS
        while self.status()["peers"]["overlay"] < peers:
            assert time.monotonic() < end, f"{self.name} knows too few: {self.status()}"
            time.sleep(0.1)

    @property
    def sent(self) -> int:
        """Bytes that have left this host over its link so far."""
        return int(self.run("cat", "/sys/class/net/e0/statistics/tx_bytes"))

    @property
    def cpu(self) -> float:
        """CPU seconds that the node has taken so far."""
        if self._node is None:
            return 0.0
        fields = Path(f"/proc/{self._node.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """kill -9 for the node."""
        if self._node is not None:
            self._node.kill()
            self._reap()

    def stop(self) -> None:
        """End the node as a user would."""
        if self._node is not None:
            self._node.send_signal(signal.SIGTERM)
            try:
                self._node.wait(20)
            except subprocess.TimeoutExpired:
                self._node.kill()
            self._reap()

    def text(self) -> str:
        """What the node has logged."""
        return self._log.read_text() if self._log is not None else ""

    def _reap(self) -> None:
        assert self._node is not None
        self._node.wait(20)
        if self._node.stdout is not None:
            self._node.stdout.close()
        self._node = None


class Fleet:
    """`count` hosts and a first one, `hosts[0]`, whose link carries `mbit` Mbit/s in each direction (0: no limit)."""

    def __init__(self, count: int, *, mbit: float = 50.0) -> None:
        self.name = f"ls{os.getpid() % 100_000}"
        self.hosts = [Host(self, number) for number in range(count + 1)]
        self._mbit = mbit
        self._bridge = f"{self.name}-b"

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._take_down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._take_down()

    @property
    def seeder(self) -> Host:
        """The host behind the slow link."""
        return self.hosts[0]

    @property
    def others(self) -> list[Host]:
        """All hosts but the seeder."""
        return self.hosts[1:]

    def limit(self, host: Host, mbit: float) -> None:
        """Let a host's link carry so much in each direction from now on."""
        rate = ("root", "tbf", "rate", f"{mbit}mbit", "burst", _BURST, "latency", _QUEUE)
        _run("ip", "netns", "exec", host.name, "tc", "qdisc", "replace", "dev", "e0", *rate)
        _run("ip", "netns", "exec", self._bridge, "tc", "qdisc", "replace", "dev", f"p{host.number}", *rate)

    def _build(self) -> None:
        _run("ip", "netns", "add", self._bridge)
        inside = ("ip", "-n", self._bridge, "link")
        _run(*inside, "set", "lo", "up")
        _run(*inside, "add", "br0", "type", "bridge", "mcast_snooping", "0")
        _run(*inside, "set", "br0", "up")
        for host in self.hosts:
            port = f"p{host.number}"
            _run("ip", "netns", "add", host.name)
            _run("ip", "-n", host.name, "link", "set", "lo", "up")
            wire = ("ip", "link", "add", "e0", "netns", host.name, "type", "veth", "peer", "name", port)
            _run(*wire, "netns", self._bridge)
            _run("ip", "-n", host.name, "addr", "add", f"{host.address}/16", "dev", "e0")
            _run("ip", "-n", host.name, "link", "set", "e0", "up")
            _run(*inside, "set", port, "master", "br0")
            _run(*inside, "set", port, "up")
        if self._mbit:
            self.limit(self.seeder, self._mbit)

    def _take_down(self) -> None:
        with contextlib.ExitStack() as stack:
            for host in self.hosts:
                stack.callback(_run, "ip", "netns", "del", host.name, check=False)
            stack.callback(_run, "ip", "netns", "del", self._bridge, check=False)
            for host in self.hosts:
                stack.callback(host.stop)


@contextlib.contextmanager
def running_fleet(count: int, *, mbit: float = 50.0) -> Iterator[Fleet]:
    """Give a fleet of `count` hosts beside the seeder; it is taken down at the end."""
    with Fleet(count, mbit=mbit) as fleet:
        yield fleet
