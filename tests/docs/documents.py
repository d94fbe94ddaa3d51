"""The Markdown documents of this repository: those at its top, and all below docs/."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def title(document: Path) -> str:
    """Return what a test of a document is called by: its path."""
    return document.relative_to(ROOT).as_posix()
