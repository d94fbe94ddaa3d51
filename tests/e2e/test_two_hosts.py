"""Two hosts with a wire between them: what one publishes, the other installs, each on all of its addresses."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.nodes import libreseed
from support.packages import publish_body

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        os.name != "posix" or os.geteuid() != 0 or shutil.which("ip") is None,
        reason="needs root and Debian's iproute2, for network namespaces",
    ),
]

ASK = """
import json, sys, urllib.request
method, url, body, token = sys.argv[1:]
headers = {"Content-Type": "application/json", **({"Authorization": "Bearer " + token} if token else {})}
request = urllib.request.Request(url, body.encode() or None, headers, method=method)
with urllib.request.urlopen(request, timeout=30) as answer:
    print(json.dumps([answer.status, answer.headers["X-Libreseed-Source"], answer.read().hex()]))
"""


class Host:
    """A network namespace with one node in it, listening on every address as it does by default."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root
        self._process: subprocess.Popen[str] | None = None

    def run(self, *command: str) -> str:
        done = subprocess.run(["ip", "netns", "exec", self.name, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def serve(self, *options: str) -> None:
        command = ["ip", "netns", "exec", self.name, sys.executable, "-m", "libreseed", "serve", "--port", "4880"]
        command += ["--root", str(self.root), "--upstream", "none", "--no-lan", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert "ready at" in self._process.stdout.readline()

    def ask(self, method: str, path: str, body: object = None, token: str = "") -> tuple[int, str, bytes]:
        text = "" if body is None else json.dumps(body)
        answer = self.run(sys.executable, "-c", ASK, method, f"http://localhost:4880{path}", text, token)
        status, source, content = json.loads(answer)
        return status, source, bytes.fromhex(content)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(15)
            if self._process.stdout is not None:
                self._process.stdout.close()
        subprocess.run(["ip", "netns", "del", self.name], check=False)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    one, other = (Host(f"libreseed-{os.getpid()}-{name}", tmp_path / name) for name in ("one", "other"))
    try:
        for host in (one, other):
            subprocess.run(["ip", "netns", "add", host.name], check=True)
            host.run("ip", "link", "set", "lo", "up")
        one.run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", other.name)
        for host, address in ((one, "10.77.0.1/24"), (other, "10.77.0.2/24")):
            host.run("ip", "addr", "add", address, "dev", "wire")
            host.run("ip", "link", "set", "wire", "up")
        yield one, other
    finally:
        one.stop()
        other.stop()


def test_a_package_crosses_the_wire(hosts: tuple[Host, Host]) -> None:
    one, other = hosts
    one.serve("--overlay-port", "4000")
    _, _, logged_in = one.ask("PUT", "/-/user/org.couchdb.user:ann", {"name": "ann", "password": "correct horse"})
    body = json.loads(json.dumps(publish_body("hello", "1.0.0")))
    assert one.ask("PUT", "/hello", body, json.loads(logged_in)["token"])[0] == 201

    other.serve("--bootstrap", "10.77.0.1:4000")
    libreseed(
        "trust",
        "add",
        "hello",
        libreseed("keys", "show", "--root", str(one.root)).stdout.strip(),
        "--root",
        str(other.root),
    )
    status, source, tarball = other.ask("GET", "/hello/-/hello-1.0.0.tgz")
    assert (status, source) == (200, "swarm")
    assert tarball == one.ask("GET", "/hello/-/hello-1.0.0.tgz")[2]
