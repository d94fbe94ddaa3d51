"""The files that the documents name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "proxy" / "libreseed"
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_and_module_paths_lead_to_files(document: Path) -> None:
    text = document.read_text()
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    modules = re.findall(r"`([a-z-]+/[\w./-]+\.(?:py|j2))`", text)
    missing = [link for link in links if not (document.parent / link).exists()]
    missing += [module for module in modules if not any((base / module).exists() for base in (ROOT, PACKAGE))]
    assert missing == []
