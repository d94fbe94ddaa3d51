import pytest

from libreseed.modules.fetch.credentials import authorization

URL = "http://localhost:4880"


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Write the project's and the user's .npmrc and ask for a URL."""
    monkeypatch.setenv("npm_config_userconfig", str(tmp_path / "user"))

    def ask(url=URL, *, user="", project="", **environment):
        (tmp_path / "user").write_text(user)
        (tmp_path / ".npmrc").write_text(project)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return authorization(url, tmp_path).get("Authorization")

    return ask


def test_the_users_token_goes_to_its_registry_alone(ask):
    user = "//localhost:4880/:_authToken=abc\n"
    assert ask(user=user) == "Bearer abc"
    assert ask(URL + "/", user=user) == "Bearer abc"
    assert ask(URL + "/npm/", user=user) == "Bearer abc"
    for other in ("http://localhost:4881", "http://localhost", "http://example.test:4880"):
        assert ask(other, user=user) is None


def test_what_is_nearer_wins(ask):
    user = "//localhost:4880/:_authToken=abc\n//localhost:4880/npm/:_authToken=def\n"
    assert ask(URL + "/npm", user=user) == "Bearer def"
    assert ask(user=user, project="//localhost:4880/:_authToken=own\n") == "Bearer own"


def test_variables(ask):
    line = "//localhost:4880/:_authToken=${MY_TOKEN}\n"
    assert ask(user=line) is None
    assert ask(user=line, MY_TOKEN="abc") == "Bearer abc"
    assert ask(user=line, MY_TOKEN="a\rb") is None


def test_no_files_no_token(tmp_path):
    assert authorization(URL, tmp_path, {"npm_config_userconfig": str(tmp_path / "none")}) == {}
