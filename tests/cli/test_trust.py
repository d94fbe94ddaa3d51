"""`libreseed trust registry-keys`: what a registry signs with is believed, shown and forgotten."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from libreseed.cli.trust import trust_command
from libreseed.errors import ConflictError, InvalidInputError
from support.signing import RegistrySigner


def run(root: Path, *arguments: str, text: bytes = b"") -> str:
    done = CliRunner().invoke(trust_command, [*arguments, "--root", str(root)], input=text, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_keys_of_a_registry(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(RegistrySigner("SHA256:one", "2025-01-29T00:00:00.000Z").keys())
    assert "SHA256:one are now believed" in run(tmp_path, "registry-keys", str(file))
    run(tmp_path, "registry-keys", "-", text=RegistrySigner("SHA256:two").keys())
    shown = run(tmp_path, "list")
    assert "signed by  SHA256:one, until 2025-01-29\n" in shown
    assert "signed by  SHA256:two\n" in shown
    with pytest.raises(ConflictError, match="not the one that is pinned"):
        run(tmp_path, "registry-keys", "-", text=RegistrySigner("SHA256:two").keys())
    run(tmp_path, "remove", "SHA256:one")
    run(tmp_path, "remove", "SHA256:two")
    assert "Nothing is trusted" in run(tmp_path, "list")


@pytest.mark.parametrize("text", [b"", b"{}", b'{"keys":[{}]}'])
def test_what_is_no_list_of_keys(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(InvalidInputError):
        run(tmp_path, "registry-keys", "-", text=text)
