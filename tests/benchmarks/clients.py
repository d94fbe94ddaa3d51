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
    "@babel/core": "^7.24.0",
    "@babel/preset-env": "^7.24.0",
    "@babel/preset-react": "^7.24.0",
    "autoprefixer": "^10.4.0",
    "axios": "^1.7.0",
    "chalk": "^5.0.0",
    "commander": "^12.0.0",
    "css-loader": "^7.0.0",
    "eslint": "^9.0.0",
    "eslint-plugin-import": "^2.29.0",
    "eslint-plugin-react": "^7.34.0",
    "express": "^5.0.0",
    "jest": "^29.7.0",
    "lodash": "^4.17.21",
    "mocha": "^10.0.0",
    "postcss": "^8.4.0",
    "prettier": "^3.0.0",
    "react": "^19.0.0",
    "react-dom": "^19.0.0",
    "rollup": "^4.0.0",
    "style-loader": "^4.0.0",
    "tailwindcss": "^3.4.0",
    "typescript": "^5.4.0",
    "vite": "^8.0.0",
    "webpack": "^5.90.0",
    "webpack-cli": "^5.1.0",
}


def main(*names: str) -> None:
    with tempfile.TemporaryDirectory(prefix="libreseed-bench-") as temporary:
        folder = Path(temporary)
        with running_nodes(folder) as nodes:
            for name in names or CLIENTS:
                for installed in install_thrice(name, nodes, folder / "installs", DEPENDENCIES):
                    assert installed.state == "cold" or installed.sources == {"store"}, installed.sources
                    assert not installed.failed, installed.failed
                    count = len(installed.tarballs)
                    print(f"{name:8}  {installed.state:8} {installed.seconds:7.1f} s  {count} tarballs", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
