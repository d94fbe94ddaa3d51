"""Real nodes for the tests: `libreseed serve` as a process of its own, on free ports and a root of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

STATUS = "/-/libreseed/status"
_ACCESS = re.compile(r" libreseed\.access: (\S+) (\S+) (\d+) (\S+) [\d.]+ ms$", re.MULTILINE)
"""A line of the access log; the last one of a node that was killed may be cut off."""
READY_SECONDS = 30
WAIT_SECONDS = 60

AUDIT_HOOK = """
import os, sys
def _write(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        text = repr(args[1] if event == "socket.connect" else args[0])
        os.write(_log, f"{event} {text}\\n".encode())
_log = os.open(os.environ["LIBRESEED_TEST_AUDIT"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
sys.addaudithook(_write)
"""
"""A sitecustomize module that writes down every host name, connection and process that Python asks for."""


class NodeProcess:
    """A running `libreseed serve`. Everything that it prints to stderr is in `log`. Unless it is `observed`, it runs as
    users run it: without a line in the log for each request, and without the audit of what it opens."""

    def __init__(self, root: Path, *options: str, observed: bool = True) -> None:
        self.root = root
        self.observed = observed
        self.log = root.with_name(root.name + ".log")
        self.audit = root.with_name(root.name + ".audit")
        self._options = options
        self.start()

    def start(self) -> None:
        """Start it, again on the same root; returns when it is ready."""
        environment = dict(os.environ)
        command = [sys.executable, "-W", "error", "-m", "libreseed", "serve", "--root", str(self.root), "--port", "0"]
        command += ["--p2p-host", "127.0.0.1", "--no-lan", *self._options]
        if self.observed:
            hook = self.root.with_name(self.root.name + ".site")
            hook.mkdir(exist_ok=True)
            (hook / "sitecustomize.py").write_text(AUDIT_HOOK)
            environment |= {"LIBRESEED_TEST_AUDIT": str(self.audit), "PYTHONPATH": str(hook)}
            command.append("--verbose")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "ready at" in line, f"{line}\n{self.text()}"
        self.url = next(word for word in line.split() if word.startswith("http://"))

    def restart(self, *options: str) -> None:
        """Stop it and start it with these options, on the port that it has."""
        self.stop()
        self._options = (*options, "--port", str(self.port))
        self.start()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str, **headers: str) -> "Answer":
        """GET a path; HTTP errors are answers too."""
        return request("GET", self.url + path, headers=headers)

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.get(STATUS).json()
        return answer

    def overlay(self) -> str:
        address: str = self.status()["overlay"]
        return address

    def publisher(self) -> str:
        key: str = self.status()["publisher"]
        return key

    def wait_for(self, condition: Any, what: str) -> dict[str, Any]:
        """Poll the status until `condition(status)` holds."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            status = self.status()
            if condition(status):
                return status
            time.sleep(0.02)
        raise AssertionError(f"{what}: {status}\n{self.text()[-3000:]}")

    def joined(self, peers: int = 1) -> "NodeProcess":
        """Wait until it knows other nodes."""
        self.wait_for(lambda status: status["peers"]["overlay"] >= peers, "not joined")
        return self

    def settled(self) -> "NodeProcess":
        """Wait until all that came from the upstream is signed and announced."""
        self.wait_for(lambda status: status["mirroring"] == 0, "still mirroring")
        self.wait_for(lambda status: status["announcing"] == 0, "still announcing")
        return self

    def text(self) -> str:
        """Everything logged so far."""
        return self.log.read_text()

    def accesses(self) -> list["Access"]:
        """Each request answered so far, from the access log, without those for the status."""
        if self.process.poll() is None:
            self.status()  # a request may be logged after its answer, but not after the next one's
        found = [
            Access(method, path, int(status), source) for method, path, status, source in _ACCESS.findall(self.text())
        ]
        return [access for access in found if access.path != STATUS]

    def tarballs(self) -> list[tuple[str, str]]:
        """The path and source of each tarball answered so far."""
        return [
            (access.path, access.source)
            for access in self.accesses()
            if access.method == "GET" and access.path.endswith(".tgz")
        ]

    def tarball_sources(self) -> list[str]:
        """The source of each tarball answered so far."""
        return [source for _, source in self.tarballs()]

    def audited(self) -> list[str]:
        """What Python's sockets and processes were asked for so far."""
        return self.audit.read_text().splitlines() if self.audit.exists() else []

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self._reap()

    def stop(self) -> None:
        """End it as a user would; it must go quietly and without a traceback."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                assert self.process.wait(15) == 0, self.text()[-3000:]
            finally:
                self.process.kill()
        self._reap()
        assert "Traceback" not in self.text(), self.text()

    def _reap(self) -> None:
        self.process.wait(15)
        if self.process.stdout is not None:
            self.process.stdout.close()


class Access(NamedTuple):
    """A line of the access log."""

    method: str
    path: str
    status: int
    source: str


class Answer:
    """The answer to a request."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def source(self) -> str:
        return str(self.headers["X-Libreseed-Source"])

    def json(self) -> Any:
        return json.loads(self.body)


def request(method: str, url: str, *, headers: dict[str, str] | None = None, body: Any = None) -> Answer:
    """Send a request; HTTP errors are answers too."""
    data = None if body is None else json.dumps(body).encode()
    sent = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _KeepErrors())
    with opener.open(sent, timeout=WAIT_SECONDS) as response:
        return Answer(response.status, response.headers, response.read())


class _KeepErrors(urllib.request.HTTPErrorProcessor):
    def http_response(self, _: Any, response: Any) -> Any:
        return response


class Nodes:
    """Starts nodes and ends them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes: list[NodeProcess] = []

    def start(
        self, name: str, *options: str, bootstrap: NodeProcess | None = None, observed: bool = True
    ) -> NodeProcess:
        """Start a node called `name`; with `bootstrap`, wait until it has joined."""
        if bootstrap is not None:
            options = (*options, "--bootstrap", bootstrap.overlay())
        node = NodeProcess(self._folder / name, *options, observed=observed)
        self._nodes.append(node)
        return node.joined() if bootstrap is not None else node

    def stop(self) -> None:
        """Stop all nodes; one that goes badly keeps none of the others running."""
        with ExitStack() as stack:
            for node in self._nodes:
                stack.callback(node.stop)


@contextmanager
def running_nodes(folder: Path) -> Iterator[Nodes]:
    """Give a starter of nodes; all are stopped at the end."""
    nodes = Nodes(folder)
    try:
        yield nodes
    finally:
        nodes.stop()


def libreseed(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "libreseed", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done
