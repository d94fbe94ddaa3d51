"""The files that the documents name are there."""

import re
from pathlib import Path

import pytest

from docs.documents import DOCUMENTS, ROOT, title

PACKAGE = ROOT / "proxy" / "libreseed"


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_links_and_module_paths_lead_to_files(document: Path) -> None:
    text = document.read_text()
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    modules = re.findall(r"`([a-z_-]+/[\w./-]+\.(?:py|j2))`", text)
    missing = [link for link in links if not (document.parent / link).exists()]
    missing += [module for module in modules if not any((base / module).exists() for base in (ROOT, PACKAGE))]
    assert missing == []
