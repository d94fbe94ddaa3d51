import pytest

from libreseed.demo.commands import Npm, run_node
from libreseed.errors import UnavailableError


async def test_the_users_configuration_does_not_reach_npm(monkeypatch, tmp_path):
    (tmp_path / "userconfig").write_text("before=2001-01-01\n")
    monkeypatch.setenv("npm_config_userconfig", str(tmp_path / "userconfig"))
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://elsewhere.test/")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:8080")
    npm = Npm("http://localhost:1", tmp_path / "home")
    assert (await npm.run(tmp_path, "config", "get", "registry", "before", "proxy")).splitlines() == [
        "registry=http://localhost:1",
        "before=null",
        "proxy=null",
    ]


async def test_the_token_goes_to_the_registry_alone(tmp_path):
    npm = Npm("http://localhost:4880", tmp_path / "home")
    npm.log_in("secret")
    assert (tmp_path / "home" / "npmrc").read_text() == "//localhost:4880/:_authToken=secret\n"


async def test_a_failure_is_told_in_npms_words(tmp_path):
    (tmp_path / "package.json").write_text("{}")
    npm = Npm("http://localhost:1", tmp_path / "home")
    with pytest.raises(UnavailableError, match=r"npm run nothing failed: Missing script") as caught:
        await npm.run(tmp_path, "run", "nothing")
    assert "complete log" not in str(caught.value)


async def test_a_failure_without_words_is_told_by_its_code(tmp_path):
    (tmp_path / "program.js").write_text("process.exit(3)")
    with pytest.raises(UnavailableError, match=r"node program.js failed: exit code 3"):
        await run_node(tmp_path, "program.js")
