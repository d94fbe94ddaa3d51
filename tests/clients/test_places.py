import stat
import sys
from pathlib import Path

import pytest

from libreseed.clients.places import CLIENTS, find_clients, overruling, project_places, user_places

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the paths are Linux's")


def user(*clients: str, **environment: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for place in user_places(clients or CLIENTS, {"HOME": "/home/ann", **environment}):
        found.setdefault(place.client, []).append(str(place.path))
    return found


def test_the_files_of_a_user() -> None:
    assert user() == {
        "npm": ["/home/ann/.npmrc"],
        "pnpm": ["/home/ann/.config/pnpm/auth.ini", "/home/ann/.config/pnpm/config.yaml"],
        "yarn1": ["/home/ann/.yarnrc"],
        "yarn4": ["/home/ann/.yarnrc.yml"],
        "bun": ["/home/ann/.bunfig.toml"],
    }


def test_variables_move_them() -> None:
    found = user(XDG_CONFIG_HOME="/x", NPM_CONFIG_USERCONFIG="/etc/mine", YARN_RC_FILENAME=".rc.yml")
    assert found == {
        "npm": ["/etc/mine"],
        "pnpm": ["/x/pnpm/auth.ini", "/x/pnpm/config.yaml"],
        "yarn1": ["/home/ann/.yarnrc"],
        "yarn4": ["/home/ann/.rc.yml"],
        "bun": ["/x/.bunfig.toml"],
    }
    assert user("npm", npm_config_userconfig="~/mine") == {"npm": ["/home/ann/mine"]}


def test_only_the_chosen_ones_and_npm() -> None:
    assert list(user("bun")) == ["npm", "bun"]
    assert [place.client for place in project_places(["yarn1"], Path("/p"), {})] == ["npm", "yarn1"]


def test_the_files_of_a_project() -> None:
    places = project_places(CLIENTS, Path("/p"), {"HOME": "/home/ann"})
    assert [str(place.path) for place in places] == [
        "/p/.npmrc",
        "/p/pnpm-workspace.yaml",
        "/p/.yarnrc",
        "/p/.yarnrc.yml",
        "/p/bunfig.toml",
    ]


def test_the_clients_on_the_path(tmp_path: Path) -> None:
    assert find_clients({"PATH": str(tmp_path)}) == ("npm",)
    for name in ("yarn", "bun"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(stat.S_IRWXU)
    assert find_clients({"PATH": str(tmp_path)}) == ("npm", "yarn1", "yarn4", "bun")


def test_variables_that_overrule_files() -> None:
    environment = {"NPM_CONFIG_REGISTRY": "http://a/", "YARN_NPM_REGISTRY_SERVER": "http://b/", "PATH": "/bin"}
    assert overruling(["npm"], environment) == {"NPM_CONFIG_REGISTRY": "http://a/"}
    assert overruling(["yarn4"], environment).keys() == {"NPM_CONFIG_REGISTRY", "YARN_NPM_REGISTRY_SERVER"}
