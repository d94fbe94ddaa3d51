"""`make bench-clients`: a project of more than 700 packages by npm, pnpm, yarn 4 and bun, each through a node of its
own: empty, full, and cut off from the upstream. The client's caches are empty each time, and it has no lock file.

Every figure is proved by its path: warm and cut off, each tarball's X-Libreseed-Source is `store`.
"""

import sys
import tempfile
from pathlib import Path

from support.nodes import running_nodes
from support.projects import CLIENTS, install_thrice

DEPENDENCIES = {
    "@babel/core": "7.29.13",
    "@babel/preset-env": "7.29.14",
    "@babel/preset-react": "7.29.7",
    "autoprefixer": "10.7.0",
    "axios": "1.21.1",
    "chalk": "5.6.2",
    "commander": "12.1.0",
    "css-loader": "7.1.5",
    "eslint": "9.39.5",
    "eslint-plugin-import": "2.32.0",
    "eslint-plugin-react": "7.37.5",
    "express": "5.3.0",
    "jest": "29.7.0",
    "lodash": "4.18.1",
    "mocha": "10.8.2",
    "postcss": "8.5.33",
    "prettier": "3.10.1",
    "react": "19.3.1",
    "react-dom": "19.3.1",
    "rollup": "4.68.8",
    "style-loader": "4.0.0",
    "tailwindcss": "3.4.19",
    "typescript": "5.9.3",
    "vite": "8.3.8",
    "webpack": "5.113.0",
    "webpack-cli": "5.1.4",
}


def main(*names: str) -> None:
    with tempfile.TemporaryDirectory(prefix="libreseed-bench-") as temporary:
        folder = Path(temporary)
        with running_nodes(folder) as nodes:
            for name in names or CLIENTS:
                for installed in install_thrice(name, nodes, folder / "installs", DEPENDENCIES, {}):
                    assert installed.state == "cold" or installed.sources == {"store"}, installed.sources
                    assert not installed.failed, installed.failed
                    count = len(installed.tarballs)
                    print(f"{name:8}  {installed.state:8} {installed.seconds:7.1f} s  {count} tarballs", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
