"""`make bench-peers`: installs of a project of 900 packages from LibreSeed, from verdaccio and from static files.

All three have the same bytes: nginx serves as files what the node answered, verdaccio has the node as its upstream.
All are warm, and all clients start with empty caches, on tmpfs. nginx is the floor, and its time is 1. The node's own
store is proved by the counters of X-Libreseed-Source. Needs Debian's nginx-light (apt-get install).
"""

import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from support.clients import run, tools, write_project
from support.lockfiles import lock_file, manifest
from support.nodes import NodeProcess, running_nodes
from support.registry_clients import KINDS, AnyClient

ROUNDS = 3
SHORT = "application/vnd.npm.install-v1+json"
VERDACCIO = """\
storage: {folder}/storage
auth: {{htpasswd: {{file: {folder}/htpasswd}}}}
uplinks: {{node: {{url: {upstream}, timeout: 120s, max_fails: 100, cache: true, maxage: 1d}}}}
packages: {{'**': {{access: $all, proxy: node}}}}
log: {{type: stdout, format: pretty, level: error}}
"""

NGINX = """\
daemon off; master_process on; worker_processes 1; pid {folder}/pid; error_log stderr error; user root;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_accept $form {{ default full; "~install-v1" short; }}
  server {{
    listen 127.0.0.1:{port};
    root {folder}/files;
    types {{}}
    default_type application/json;
    location ~ \\.tgz$ {{ default_type application/octet-stream; }}
    location /short/ {{ internal; default_type {short}; gzip_static on; }}
    location /full/ {{ internal; gzip_static on; }}
    location / {{ rewrite ^ /$form$uri.json last; }}
  }}
}}
"""


@dataclass(frozen=True)
class Way:
    """A way to install: a client of the matrix, and its command. "ci" starts from the committed lock file."""

    client: str
    command: str

    @property
    def title(self) -> str:
        return f"{self.client.partition('-')[0]} {KINDS[self.client].commands[self.command]}"


WAYS = [Way(client, command) for client in ("npm-11", "pnpm-12", "bun-1") for command in ("install", "ci")]


def main() -> None:
    memory = Path("/dev/shm")  # noqa: S108
    with ExitStack() as stack:
        disk = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="libreseed-bench-")))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="libreseed-bench-", dir=memory)))
        node = stack.enter_context(running_nodes(disk)).start("node", "--max-age", "86400")
        print("filling the node from the upstream …", flush=True)
        for way in WAYS:
            lock_for(way, folder, node.url)
        node.settled()
        asked = {access.path for access in node.accesses() if access.method == "GET"}
        node.stop()
        node.observed = False
        node.start()
        peers = {
            "nginx": stack.enter_context(static_files(node, asked, disk / "nginx")),
            "verdaccio": stack.enter_context(verdaccio(node, disk / "verdaccio")),
            "LibreSeed": node.url,
        }
        compare(folder, node, peers)


def compare(folder: Path, node: NodeProcess, peers: Mapping[str, str]) -> None:
    """Time every way against every peer, in turns, and print the medians as multiples of nginx's."""
    print(f"{'median of ' + str(ROUNDS):26}" + "".join(f"{peer:>20}" for peer in peers), flush=True)
    for way in WAYS:
        locks = {peer: lock_for(way, folder, url) for peer, url in peers.items()}
        seconds: dict[str, list[float]] = {peer: [] for peer in peers}
        for _ in range(ROUNDS):
            for peer, url in peers.items():
                before = node.status()["served"]
                seconds[peer].append(install(way, folder, url, locks[peer]))
                if peer == "LibreSeed":
                    served = {key: value - before[key] for key, value in node.status()["served"].items()}
                    assert served["store"] > 0, served
                    assert served["upstream"] == served["swarm"] == served["stale"] == 0, served
        floor = statistics.median(seconds["nginx"])
        row = [
            f"{statistics.median(times):10.2f} s {statistics.median(times) / floor:5.2f} x"
            for times in seconds.values()
        ]
        print(f"{way.title:26}" + "".join(f"{text:>20}" for text in row), flush=True)


def lock_for(way: Way, folder: Path, url: str) -> str:
    """Return the lock file that an install starts from, "" for one without; either way the registry is warm then."""
    lock = lock_file("large", KINDS[way.client].lock, url) if way.command == "ci" else ""
    install(way, folder, url, lock)
    return lock


def install(way: Way, folder: Path, url: str, lock: str) -> float:
    """Install into a new folder with empty caches; return the seconds."""
    home = Path(tempfile.mkdtemp(dir=folder))
    client = AnyClient(way.client, home / "home", url)
    project = write_project(home / "app", manifest("large"))
    if lock:
        (project / client.kind.lock).write_text(lock)
    started = time.perf_counter()
    run(client.words(way.command), project, client.environment | {"npm_config_audit": "false"})
    seconds = time.perf_counter() - started
    assert (project / "node_modules" / "webpack" / "package.json").exists()
    shutil.rmtree(home)
    return seconds


@contextmanager
def static_files(node: NodeProcess, asked: Collection[str], folder: Path) -> Iterator[str]:
    """Serve what the node answers to these paths by nginx, from files; the packuments name nginx as their tarballs'
    home."""
    files = folder / "files"
    port = free_port()
    for path in asked:
        name = unquote(path)
        if path.startswith("/-/") or "/-/npm/" in path:
            continue
        if path.endswith(".tgz"):
            write(files / name.lstrip("/"), fetch(node, path, port))
            continue
        for form, accept in (("short", SHORT), ("full", "application/json")):
            for suffix, encoding in (("", "identity"), (".gz", "gzip")):
                write(
                    files / form / f"{name.lstrip('/')}.json{suffix}",
                    fetch(node, path, port, Accept=accept, **{"Accept-Encoding": encoding}),
                )
    folder.mkdir(exist_ok=True)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, short=SHORT))
    with ending(["nginx", "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")], port):
        yield f"http://localhost:{port}"


@contextmanager
def verdaccio(node: NodeProcess, folder: Path) -> Iterator[str]:
    folder.mkdir()
    port = free_port()
    (folder / "config.yaml").write_text(VERDACCIO.format(folder=folder, upstream=node.url))
    program = tools("verdaccio") / "node_modules/.bin/verdaccio"
    command = [str(program), "--listen", f"127.0.0.1:{port}", "--config", str(folder / "config.yaml")]
    with ending(command, port):
        yield f"http://localhost:{port}"


@contextmanager
def ending(command: list[str], port: int) -> Iterator[None]:
    """Run a server until the end, and wait until it listens."""
    with subprocess.Popen(command) as process:
        try:
            end = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < end:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            assert process.poll() is None, command
            yield
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(node: NodeProcess, path: str, port: int, **headers: str) -> bytes:
    """Return what the node answers to who knows it as `localhost:port`."""
    return node.get(path, Host=f"localhost:{port}", **headers).body


def write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
