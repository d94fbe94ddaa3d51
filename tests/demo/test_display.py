import io
import re

import pytest
from rich.console import Console

from libreseed.demo.display import PlainDisplay, TerminalDisplay, print_outcome
from libreseed.demo.story import OWN, WELL_KNOWN, Outcome
from libreseed.demo.traffic import Transfer
from libreseed.errors import UnavailableError

OWN_TARBALL = Transfer(OWN, "1.0.0", "swarm", 578, 12.0)
TARBALLS = [
    *(Transfer(f"small-{number}", "1.0.0", "swarm", 100 + number, 1.0) for number in range(20)),
    Transfer(WELL_KNOWN, "5.0.0", "swarm", 23_000, 30.0),
    Transfer("large", "2.0.0", "swarm", 190_000, 99.6),
    OWN_TARBALL,
]


async def play(display: "PlainDisplay | TerminalDisplay") -> None:
    async with display:
        display.step("Mirror")
        display.transfer(Transfer("unlisted", "1.0.0", "upstream", 5, 1.0))
        display.problem("It [failed].")
        display.step("Install", tarballs=True)
        for tarball in TARBALLS:
            display.looked_up(tarball.name)
            display.transfer(tarball)
        display.note("noted [here]")


def console(width: int = 80, *, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, legacy_windows=False)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", console.file.getvalue())


async def test_plain_lines_name_each_tarball_with_its_source():
    plain = console()
    await play(PlainDisplay(plain))
    lines = text(plain).splitlines()
    assert lines[:3] == ["1 Mirror", "  It [failed].", "2 Install"]
    assert "  @demo/greeting@1.0.0 swarm 578 bytes 12 ms" in lines
    assert len(lines) == 3 + len(TARBALLS) + 1
    assert lines[-1] == "  noted [here]"
    assert "unlisted" not in text(plain)


@pytest.mark.parametrize("width", [80, 100])
async def test_a_terminal_keeps_what_was_asked_for_and_the_largest(width):
    terminal = console(width, terminal=True)
    await play(TerminalDisplay(terminal))
    kept = text(terminal).rpartition("✓ 2 Install")[2]
    rows = [line.split() for line in kept.splitlines()[1:] if line]
    assert rows[:3] == [
        ["@demo/greeting@1.0.0", "swarm", "578", "bytes", "12", "ms"],
        ["express@5.0.0", "swarm", "23.0", "kB", "30", "ms"],
        ["large@2.0.0", "swarm", "190.0", "kB", "100", "ms"],
    ]
    assert "and 17 more from the swarm" in kept
    assert "noted [here]" in kept
    assert "✗ 1 Mirror" in text(terminal)
    assert all(len(line) <= width for line in kept.splitlines())


async def test_a_step_that_an_error_ends_is_marked():
    terminal = console(terminal=True)
    with pytest.raises(UnavailableError):
        async with TerminalDisplay(terminal) as display:
            display.step("Install")
            raise UnavailableError("It is off.")
    assert "✗ 1 Install" in text(terminal)
    assert "✓" not in text(terminal)


def outcome(problem: str = "") -> Outcome:
    told = Outcome(published=f"{OWN}@1.0.0", problem=problem, names=2, install_seconds=3.21, seconds=12.0)
    told.mirrored = [] if problem else [Transfer(WELL_KNOWN, "5.0.0", "upstream", 23_000, 1.0)]
    told.installed = [OWN_TARBALL]
    told.reinstalled = [OWN_TARBALL]
    return told


def test_the_account_says_what_happened_in_numbers():
    wide = console(1000)
    print_outcome(wide, outcome())
    assert "the metadata of 1 package, signed" in text(wide)
    assert "looked up 2 names in the DHT" in text(wide)
    assert "fetched 1 tarball (578 bytes) from the others over BitTorrent" in text(wide)
    assert "from first to last: 0." in text(wide)
    assert "All of it took 12 s." in text(wide)
    assert "Not shown" not in text(wide)


def test_the_account_says_what_was_left_out():
    wide = console(1000)
    print_outcome(wide, outcome("The upstream is down."))
    assert "Not shown, because the upstream could not be used: express" in text(wide)
    assert "The mirror installed" not in text(wide)
