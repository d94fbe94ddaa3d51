import gzip
import io
import json
import subprocess
import tarfile

from libreseed.shims import render
from libreseed.shims.render import pack_tarball, render_package

NAMES = ("register", "loader", "webpack", "rspack", "rollup", "vite", "esbuild", "jest")


def test_the_same_version_gives_the_same_bytes():
    assert render_package("1.2.3") == render_package("1.2.3")
    assert pack_tarball(render_package("1.2.3")) == pack_tarball(dict(reversed(render_package("1.2.3").items())))


def test_what_was_rendered_is_kept_for_as_long_as_the_templates_stay_the_same(tmp_path, monkeypatch):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "package.json.j2").write_text('{"version": {{ version | tojson }}}')
    monkeypatch.setattr(render, "resource_folder", lambda packed, source: folder)
    renders = []
    monkeypatch.setattr(render, "_render", lambda *args, do=render._render: renders.append(args) or do(*args))
    cache = tmp_path / "cache.json"
    assert render_package("1", cache) == render_package("1", cache) == {"package.json": b'{"version": "1"}'}
    assert len(renders) == 1
    assert render_package("2", cache) == {"package.json": b'{"version": "2"}'}
    (folder / "package.json.j2").write_text("{}")
    assert render_package("2", cache) == {"package.json": b"{}"}


def test_the_manifest_names_files_that_are_there():
    files = render_package("1.2.3")
    manifest = json.loads(files["package.json"])
    assert (manifest["name"], manifest["version"]) == ("libreseed", "1.2.3")
    assert set(files) == {"package.json", *manifest["files"]}
    for entry in manifest["exports"].values():
        targets = entry.values() if isinstance(entry, dict) else [entry]
        assert {target.removeprefix("./") for target in targets} <= set(files)


def test_every_entry_has_all_its_forms():
    exports = json.loads(render_package("1.2.3")["package.json"])["exports"]
    assert exports.pop("./package.json") == "./package.json"
    assert set(exports) == {f"./{n}" for n in NAMES}
    assert all(list(entry) == ["types", "import", "require"] for entry in exports.values())


def test_a_version_is_text_and_nothing_more():
    files = render_package('1"; process.exit(1); "')
    assert json.loads(files["package.json"])["version"] == '1"; process.exit(1); "'


def test_the_tarball_is_npms_kind():
    files = render_package("1.2.3")
    with tarfile.open(fileobj=io.BytesIO(pack_tarball(files))) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == [f"package/{path}" for path in sorted(files)]
    assert {(member.mode, member.uid, member.uname) for member in members} == {(0o644, 0, "")}


def test_no_compressor_decides_the_bytes():
    files = {"big.js": bytes(200_000), "readme": b"text"}
    tarball = pack_tarball(files)
    assert len(gzip.decompress(tarball)) < len(tarball) < len(gzip.decompress(tarball)) + 100


def test_npm_installs_the_tarball(tmp_path):
    (tmp_path / "libreseed.tgz").write_bytes(pack_tarball(render_package("1.2.3")))
    (tmp_path / "package.json").write_text("{}")
    command = ["npm", "install", "--offline", "--no-audit", "--no-fund", "./libreseed.tgz"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    installed = tmp_path / "node_modules/libreseed"
    assert {path.name: path.read_bytes() for path in installed.iterdir()} == render_package("1.2.3")
