"""The steps of the demo. Each claim that it prints is checked before."""

import asyncio
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import orjson
from rich.filesize import decimal

from libreseed.demo import fleet, nodes
from libreseed.demo.commands import Npm, run_node
from libreseed.demo.examples import copy_example
from libreseed.demo.nodes import DemoNodes
from libreseed.demo.traffic import Traffic, TrafficListener, Transfer, watch
from libreseed.errors import BadSignatureError, IntegrityError, LibreseedError, UnavailableError
from libreseed.modules.lock.entry import LockedPackage
from libreseed.modules.lock.lockfile import read_lockfile
from libreseed.npm import find_command
from libreseed.packages.integrity import format_integrity, parse_integrity, sha512
from libreseed.packages.names import key_text
from libreseed.trust.keys import format_key, parse_key
from libreseed.trust.records import check_fresh, read_record

OWN = "@demo/greeting"
"""The example package that the publisher publishes."""
WELL_KNOWN = "express"
"""The package that the mirror fetches from its upstream, with its dependencies."""

_UPSTREAM_SECONDS = 20.0


class Display(TrafficListener, Protocol):
    """Shows the demo while it runs."""

    def step(self, title: str, *, tarballs: bool = False) -> None:
        """Begin a step, which ends the one before. `tarballs`: list each transfer."""

    def note(self, text: str) -> None:
        """Show a line about this step."""

    def problem(self, text: str) -> None:
        """Show that this step failed, and that the demo goes on without it."""


@dataclass(slots=True)
class Outcome:
    """What the demo did. Sizes in bytes, times in seconds.

    `problem` says why the well-known package is left out, "" when it is not; `names` is how many the newcomer looked
    up; `installed` are its tarballs while the others were up, `reinstalled` those after they were gone.
    `shared` is what a fleet had of it.
    """

    publisher: str = ""
    mirror: str = ""
    published: str = ""
    problem: str = ""
    mirrored: list[Transfer] = field(default_factory=list)
    names: int = 0
    installed: list[Transfer] = field(default_factory=list)
    install_seconds: float = 0.0
    verified: int = 0
    upstream_requests: int = 0
    reinstalled: list[Transfer] = field(default_factory=list)
    shared: fleet.Shared = field(default_factory=fleet.Shared)
    output: str = ""
    seconds: float = 0.0

    @property
    def bytes(self) -> int:
        """Bytes of the tarballs that the newcomer installed."""
        return sum(transfer.bytes for transfer in self.installed)


async def run_demo(folder: Path, display: Display, *, upstream: str = "auto") -> Outcome:
    """Run all steps in an empty folder, and show them on `display`. `upstream` is the mirror's, as in Settings.

    Without a reachable upstream the demo goes on with the published package alone. Raises a LibreseedError when
    anything else fails, or when a check of a claim does.
    """
    started = time.monotonic()
    find_command("node")
    find_command("npm")
    display.step("Start three nodes, each with a key of its own, on this machine only")
    async with nodes.running(folder / "nodes", upstream) as running:
        story = _Story(folder, display, running)
        await story.introduce("npm's own" if upstream == "auto" else upstream)
        await story.publish()
        await story.mirror()
        await story.trust()
        await story.install()
        await story.verify()
        await story.reinstall_alone()
        await story.share()
        await story.run()
    story.outcome.seconds = time.monotonic() - started
    return story.outcome


class _Story:
    def __init__(self, folder: Path, display: Display, running: DemoNodes) -> None:
        self.outcome = Outcome()
        self._folder = folder
        self._display = display
        self._publisher, self._mirror, self._newcomer = running.publisher, running.mirror, running.newcomer
        self._project = folder / "app"
        self._expected: dict[tuple[str, str], bytes] = {}
        """(name, version) -> the SHA-512 that the publisher published, or that the upstream told the mirror."""

    async def introduce(self, upstream: str) -> None:
        self.outcome.publisher = self._publisher.status()["publisher"]
        self.outcome.mirror = self._mirror.status()["publisher"]
        self._display.note(f"publisher  {self._publisher.url}  no upstream, key {_short(self.outcome.publisher)}")
        self._display.note(f"mirror     {self._mirror.url}  upstream: {upstream}, key {_short(self.outcome.mirror)}")
        self._display.note(f"newcomer   {self._newcomer.url}  no upstream: it has only the other two")

    async def publish(self) -> None:
        self._display.step(f"Publisher: npm publish, for the package {OWN}")
        npm = Npm(self._publisher.url, self._folder / "npm" / "publisher")
        npm.log_in(await nodes.log_in(self._publisher))
        package = copy_example("greeting", self._folder / "greeting")
        version, integrity = _read_published(await npm.run(package, "publish", "--json"))
        self._expected[OWN, version] = parse_integrity(integrity) or b""
        self.outcome.published = f"{OWN}@{version}"
        await nodes.wait_until_announced(self._publisher)
        self._display.note(f"{self.outcome.published}, {integrity[:24]}…")
        self._display.note(f"signed with {_short(self.outcome.publisher)}, announced as {key_text(OWN)}")

    async def mirror(self) -> None:
        self._display.step(f"Mirror: npm install {WELL_KNOWN}, from the upstream")
        project = copy_example("app", self._folder / "mirror-app")
        npm = Npm(self._mirror.url, self._folder / "npm" / "mirror")
        try:
            if self._mirror.networks.upstream is None:
                raise UnavailableError("the mirror was given none.")
            refusal = await nodes.ask(self._mirror, WELL_KNOWN, _UPSTREAM_SECONDS)
            if refusal is not None:
                raise UnavailableError(refusal)
            with watch(self._mirror.url, self._display) as traffic:
                await npm.run(project, "install", WELL_KNOWN)
        except LibreseedError as error:
            self.outcome.problem = str(error)
            self._display.problem(f"{WELL_KNOWN} could not be had from the upstream: {error}")
            self._display.note("The demo goes on without it: publishing and installing need no upstream.")
            return
        self.outcome.mirrored = traffic.tarballs
        for package in await _locked(project):
            self._expected[package.name, package.version] = package.digest or b""
        await nodes.wait_until_announced(self._mirror)
        status = self._mirror.status()
        self._display.note(f"{_amount(traffic.tarballs)} from {status['upstream']['url']}")
        mirrored = count(len(traffic.metadata), "package")
        self._display.note(f"metadata of {mirrored} signed with {_short(self.outcome.mirror)}, tarballs seeded")

    async def trust(self) -> None:
        self._display.step(f"Newcomer: trust the publisher for {OWN}, and the mirror")
        refusal = await nodes.ask(self._newcomer, OWN)
        if refusal is None:
            raise UnavailableError(f"The newcomer gives out {OWN} although nobody is trusted for it.")
        key = self.outcome.publisher
        self._display.note(f"asked before that, it refuses: {refusal.replace(key, _short(key))}")
        publisher, mirror = parse_key(key), parse_key(self.outcome.mirror)
        await asyncio.to_thread(
            self._newcomer.stores.trust.change, lambda rules: rules.with_pin(OWN, publisher).with_mirror(mirror)
        )

    async def install(self) -> None:
        wanted = [OWN] if self.outcome.problem else [OWN, WELL_KNOWN]
        self._display.step(f"Newcomer: npm install {' '.join(wanted)}", tarballs=True)
        await asyncio.to_thread(copy_example, "app", self._project)
        began = time.monotonic()
        traffic = await self._install("swarm", "install", *wanted)
        self.outcome.install_seconds = time.monotonic() - began
        self.outcome.installed = traffic.tarballs
        self.outcome.names = len(traffic.metadata)
        self._display.note(
            f"{count(len(traffic.metadata), 'name')} looked up, {_amount(traffic.tarballs)} from the swarm"
        )

    async def verify(self) -> None:
        self._display.step("Verify, without believing the newcomer")
        contact = await nodes.address_of(self._publisher)
        records = await nodes.find_records(self._folder, contact, OWN)
        signed = [item for item in records if format_key(item.key) == self.outcome.publisher]
        if not signed:
            raise BadSignatureError(f"There is no record of {OWN} by {self.outcome.publisher}.")
        now = time.time()
        record = read_record(signed[0], OWN, now)
        check_fresh(signed[0], record, now)
        days = (record.expiry - now) / 86400
        self._display.note(f"{key_text(OWN)}: Ed25519 signature by {_short(self.outcome.publisher)} is valid")
        self._display.note(f"points to torrent {record.snapshot.v1.hex()}, valid {days:.0f} days")
        packages = await _locked(self._project)
        for package in packages:
            await self._check(package)
        self.outcome.verified = len(packages)
        whose = "the publisher" if self.outcome.problem else "the publisher or the upstream"
        self._display.note(f"sha512 of {count(len(packages), 'tarball')}: the one that {whose} gave it")
        requests = await self._check_no_upstream()
        self._display.note(f"requests that the newcomer made to an upstream: {requests}")

    async def reinstall_alone(self) -> None:
        self._display.step("Publisher and mirror off; newcomer: npm ci, with an empty cache")
        await asyncio.gather(self._publisher.stop(), self._mirror.stop())
        await asyncio.to_thread(shutil.rmtree, self._project / "node_modules")
        await asyncio.to_thread(shutil.rmtree, self._folder / "npm" / "newcomer")
        self.outcome.reinstalled = (await self._install("store", "ci")).tarballs
        self._display.note(f"{_amount(self.outcome.reinstalled)} from the newcomer's own store")
        self.outcome.upstream_requests = await self._check_no_upstream()

    async def share(self) -> None:
        self._display.step(f"A fleet of {fleet.SIZE} new nodes: all of it at once, from the newcomer alone")
        packages = await _locked(self._project)
        shared = self.outcome.shared = await fleet.share(self._newcomer, self._folder / "nodes", packages)
        each = f"{count(shared.tarballs, 'tarball')}, {decimal(shared.needed)},"
        self._display.note(f"each of the {shared.hosts} got {each} within {shared.seconds:.1f} s")
        self._display.note(f"left the newcomer: {decimal(shared.sent)}, which is {shared.copies:.2f} times as much")

    async def run(self) -> None:
        program = "greet.js" if self.outcome.problem else "server.js"
        self._display.step(f"Newcomer: node {program}")
        self.outcome.output = (await run_node(self._project, program)).strip()
        for line in self.outcome.output.splitlines():
            self._display.note(line)

    async def _install(self, source: str, *arguments: str) -> Traffic:
        """Run npm in the newcomer's project. Raises UnavailableError when a tarball did not come from `source`."""
        npm = Npm(self._newcomer.url, self._folder / "npm" / "newcomer")
        with watch(self._newcomer.url, self._display) as traffic:
            await npm.run(self._project, *arguments)
        check_sources(traffic, await _locked(self._project), source)
        return traffic

    async def _check(self, package: LockedPackage) -> None:
        """Compare the SHA-512 of a tarball on the newcomer and in its lock file with that at its origin. Raises
        IntegrityError."""
        served = sha512(await nodes.tarball(self._newcomer, package.name, package.version))
        expected = self._expected.get((package.name, package.version))
        if not served == package.digest == expected:
            raise IntegrityError(
                f"{package.name}@{package.version} has {format_integrity(served)} on the newcomer, but "
                f"{format_integrity(expected) if expected else 'no sha512'} where it comes from."
            )

    async def _check_no_upstream(self) -> int:
        status = self._newcomer.status()
        requests = int(status["upstream"]["requests"])
        if requests or status["served"]["upstream"] or status["served"]["stale"]:
            raise UnavailableError(f"The newcomer made {requests} requests to an upstream, and should make none.")
        return requests


def check_sources(traffic: Traffic, packages: Iterable[LockedPackage], source: str) -> None:
    """Raise UnavailableError unless all packages were transferred, and every transfer came from `source`."""
    sources = {f"{each.name}@{each.version}": each.source for each in traffic.tarballs} | traffic.metadata
    wanted = {f"{each.name}@{each.version}": "nowhere" for each in packages}
    wrong = [f"{what} from {its}" for what, its in (wanted | sources).items() if its != source]
    if wrong:
        raise UnavailableError(
            f"Everything should have come from the {source}, but {len(wrong)} did not: {', '.join(wrong[:5])}."
        )


async def _locked(project: Path) -> list[LockedPackage]:
    text = await asyncio.to_thread((project / "package-lock.json").read_bytes)
    return list(read_lockfile(text).packages.values())


def _read_published(output: str) -> tuple[str, str]:
    """Return version and integrity from the output of `npm publish --json`. Raises UnavailableError."""
    try:
        said = orjson.loads(output)
    except orjson.JSONDecodeError:
        said = None
    match said.get(OWN, said) if isinstance(said, dict) else said:  # some versions of npm nest it under the name
        case {"version": str(version), "integrity": str(integrity)}:
            return version, integrity
        case _:
            raise UnavailableError("npm did not say what it published.", hint="Use a newer npm.")


def _amount(transfers: list[Transfer]) -> str:
    return f"{count(len(transfers), 'tarball')}, {decimal(sum(transfer.bytes for transfer in transfers))},"


def count(number: int, noun: str) -> str:
    """Return `1 tarball` or `2 tarballs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _short(key: str) -> str:
    """Return the beginning of a key, long enough to distinguish keys by eye."""
    return f"{key[:16]}…"
