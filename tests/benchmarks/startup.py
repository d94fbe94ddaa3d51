"""`make bench-startup`: does a missing network, or Mainline, slow anything?

Prints the seconds until `libreseed serve` is ready, with the network and in a namespace that has none (needs root),
and the time of a cold tarball, record and snapshot included, with Mainline off and on (without any network: nothing
leaves this machine).
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from libreseed.config import Settings
from libreseed.node.node import Node
from support.packages import publish_body

ROUNDS = 5
PACKAGES = 60
NO_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh")


def main() -> None:
    if sys.argv[1:] == ["mainline"]:
        for mainline in (False, True):
            asyncio.run(bench_mainline(mainline))
        return
    for name, prefix in (("as it is", ()), ("no network at all", NO_NETWORK)):
        starts, stops = zip(*(start_once(prefix) for _ in range(ROUNDS)), strict=True)
        print(f"{name:18} ready in {statistics.median(starts):.2f} s, stopped in {statistics.median(stops):.2f} s")
    subprocess.run([*NO_NETWORK, sys.executable, __file__, "mainline"], check=True, env=os.environ)


def start_once(prefix: tuple[str, ...]) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as root:
        started = time.perf_counter()
        command = [*prefix, sys.executable, "-m", "libreseed", "serve", "--root", root, "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert "ready at" in process.stdout.readline()
            ready = time.perf_counter()
            process.terminate()
            process.wait()
        return ready - started, time.perf_counter() - ready


async def bench_mainline(mainline: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        common = {"port": 0, "upstream": "none", "p2p_host": "127.0.0.1", "lan": False, "mainline": mainline}
        publisher = await Node.start(Settings(Path(name) / "publisher", **common))  # type: ignore[arg-type]
        contact = (await publisher.status())["overlay"]
        async with aiohttp.ClientSession() as client:
            account = {"name": "ann", "password": "correct horse"}
            async with client.put(f"{publisher.url}/-/user/org.couchdb.user:ann", json=account) as answer:
                headers = {"Authorization": f"Bearer {(await answer.json())['token']}"}
            for number in range(PACKAGES):
                body = publish_body(f"pkg{number}", "1.0.0")
                async with client.put(f"{publisher.url}/pkg{number}", json=body, headers=headers) as answer:
                    assert answer.status == 201
            newcomer = await Node.start(Settings(Path(name) / "newcomer", bootstrap=(contact,), **common))  # type: ignore[arg-type]
            key = bytes.fromhex((await publisher.status())["publisher"].removeprefix("ed25519:"))
            newcomer.trust.change(lambda rules: rules.with_pin("pkg*", key))
            times = []
            for number in range(PACKAGES):
                started = time.perf_counter()
                async with client.get(f"{newcomer.url}/pkg{number}/-/pkg{number}-1.0.0.tgz") as answer:
                    await answer.read()
                    assert answer.headers["X-Libreseed-Source"] == "swarm"
                times.append((time.perf_counter() - started) * 1000)
        await newcomer.stop()
        await publisher.stop()
    times.sort()
    switch = "on" if mainline else "off"
    print(f"Mainline {switch:3}: cold tarball median {statistics.median(times):.1f} ms, worst {times[-1]:.1f} ms")


if __name__ == "__main__":
    main()
