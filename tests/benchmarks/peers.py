"""`make bench-peers`: installs of a project of 900 packages from LibreSeed, from verdaccio and from static files.

All three have the same bytes: nginx serves as files what the node answered, verdaccio has the node as its upstream.
All are warm, all clients start with empty caches, everything is below one folder of tmpfs. nginx is the floor, and its
time is 1. The node's own store is proved by X-Libreseed-Source. Needs Debian's nginx-light (apt-get install).
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from support.clients import run, tool, tools, write_project
from support.manifests import LARGE
from support.nodes import NodeProcess, running_nodes

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
    location / {{ rewrite ^(.*)$ /$form$1.json last; }}
  }}
}}
"""


@dataclass(frozen=True)
class Client:
    """One way to install. `lock` is the lock file that it needs or makes, `frozen` whether it starts from it."""

    name: str
    command: Callable[[], list[str]]
    lock: str
    frozen: bool


def npm() -> list[str]:
    return ["npm", "install", "--ignore-scripts"]


def pnpm() -> list[str]:
    return [str(tool("pnpm@12")), "install", "--ignore-scripts"]


def bun() -> list[str]:
    return [str(tool("bun@1")), "install", "--ignore-scripts"]


CLIENTS = (
    Client("npm install", npm, "package-lock.json", frozen=False),
    Client("npm ci", lambda: ["npm", "ci", "--ignore-scripts"], "package-lock.json", frozen=True),
    Client("pnpm install", lambda: [*pnpm(), "--no-frozen-lockfile"], "pnpm-lock.yaml", frozen=False),
    Client("pnpm, frozen", lambda: [*pnpm(), "--frozen-lockfile"], "pnpm-lock.yaml", frozen=True),
    Client("bun install", bun, "bun.lock", frozen=False),
    Client("bun, frozen", lambda: [*bun(), "--frozen-lockfile"], "bun.lock", frozen=True),
)


def main() -> None:
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="libreseed-bench-", dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        with running_nodes(folder) as nodes, ExitStack() as stack:
            node = nodes.start("node", "--max-age", "86400")
            print("filling the node from the upstream …", flush=True)
            lock = ""
            for client in CLIENTS:
                _, lock = install(client, folder, node.url, lock if client.frozen else "")
            node.settled()
            peers = {"nginx": stack.enter_context(static_files(node, folder / "nginx"))}
            peers["verdaccio"] = stack.enter_context(verdaccio(node, folder / "verdaccio"))
            peers["LibreSeed"] = node.url
            compare(folder, node, peers)


def compare(folder: Path, node: NodeProcess, peers: Mapping[str, str]) -> None:
    """Time every client against every peer, in turns, and print the medians as multiples of nginx's."""
    print(f"{'median of ' + str(ROUNDS):14}" + "".join(f"{peer:>20}" for peer in peers), flush=True)
    for client in CLIENTS:
        locks = {peer: lock_of(client, folder, url) for peer, url in peers.items()}
        seconds: dict[str, list[float]] = {peer: [] for peer in peers}
        for _ in range(ROUNDS):
            for peer, url in peers.items():
                before = node.status()["served"]
                seconds[peer].append(install(client, folder, url, locks[peer])[0])
                if peer == "LibreSeed":
                    served = {key: value - before[key] for key, value in node.status()["served"].items()}
                    assert served["store"] > 0, served
                    assert served["upstream"] == served["swarm"] == served["stale"] == 0, served
        floor = statistics.median(seconds["nginx"])
        row = [
            f"{statistics.median(times):10.2f} s {statistics.median(times) / floor:5.2f} x"
            for times in seconds.values()
        ]
        print(f"{client.name:14}" + "".join(f"{text:>20}" for text in row), flush=True)


def lock_of(client: Client, folder: Path, url: str) -> str:
    """Return the lock file that a frozen install starts from, else ""; either way the registry is warm then."""
    unlocked = next(each for each in CLIENTS if each.lock == client.lock and not each.frozen)
    _, lock = install(unlocked, folder, url, "")
    return lock if client.frozen else ""


def install(client: Client, folder: Path, url: str, lock: str) -> tuple[float, str]:
    """Install into a new folder with empty caches; return the seconds and the lock file that there is then."""
    home = Path(tempfile.mkdtemp(dir=folder))
    project = write_project(home / "app", LARGE)
    if lock:
        (project / client.lock).write_text(lock)
    kept = {key: value for key, value in os.environ.items() if not key.lower().startswith("npm_config_")}
    environment = {
        **kept,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "BUN_INSTALL_CACHE_DIR": str(home / "bun"),
        "npm_config_userconfig": str(home / "npmrc"),
    }
    lines = (f"registry={url}/", "audit=false", "fund=false", "update-notifier=false", f"cache={home / 'npm'}")
    (home / "npmrc").write_text("\n".join((*lines, "replace-registry-host=always")) + "\n")
    (project / ".npmrc").write_text(f"registry={url}/\n")
    command = client.command()
    started = time.perf_counter()
    run(command, project, environment)
    seconds = time.perf_counter() - started
    assert (project / "node_modules" / "webpack" / "package.json").exists()
    lock = (project / client.lock).read_text()
    shutil.rmtree(home)
    return seconds, lock


@contextmanager
def static_files(node: NodeProcess, folder: Path) -> Iterator[str]:
    """Serve all that the node was asked for by nginx, from files; the packuments name nginx as their tarballs' home."""
    files = folder / "files"
    port = free_port()
    for path in {line.split()[-5] for line in node.text().splitlines() if " libreseed.access: GET " in line}:
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
    program = tools("verdaccio", "verdaccio@6", overrides={"node-fetch": "2.7.0"}) / "node_modules/.bin/verdaccio"
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
