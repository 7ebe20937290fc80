# The commands of this project. `make run` and `make test` work on a fresh machine with Python, git and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
VIDEO ?=
PORT ?= 8000
CHAOS ?=
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate \
	--python-version 3.11 --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help run test lint types schema check-schema audit bench chaos lock

help:
	@echo 'make run [VIDEO=clip.mp4]  start the server and analyse a video (or a demo clip)'
	@echo 'make test                  run all tests'
	@echo 'make lint types            check the code'
	@echo 'make schema                write schema.graphql and its reference anew'
	@echo 'make audit                 look for known vulnerabilities in what is used'
	@echo 'make bench                 measure the pipeline against its limit'
	@echo 'make chaos [CHAOS=storm]   kill, pause and cancel running work; the results must stay the same'
	@echo 'make lock                  renew the lock files from pyproject.toml'

$(VENV)/.bootstrap: requirements/bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Framewise needs Python 3.11 or newer: make PYTHON=/path/to/python3 …'; exit 1; }
	@echo 'Installing into $(VENV) …'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
	@touch $@

$(VENV)/.run: $(VENV)/.bootstrap requirements/run.lock pyproject.toml
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements/run.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements/dev.lock
	@touch $@

$(VENV)/.web: $(VENV)/.run $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python scripts/build_web.py --if-possible
	@touch $@

# The best face detector; without a network the one that needs no weights takes its place.
$(VENV)/.weights: $(VENV)/.run
	@$(BIN)/framewise models pull yunet-2026may \
		|| echo 'Going on without it: opencv-haar-face needs no weights.'
	@touch $@

run: $(VENV)/.run $(VENV)/.web $(VENV)/.weights
	@$(BIN)/framewise demo --port $(PORT) $(if $(VIDEO),--video "$(VIDEO)")

test: $(VENV)/.dev $(VENV)/.web
	@$(BIN)/python scripts/system_packages.py
	$(BIN)/python -m pytest $(PYTEST)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

schema: $(VENV)/.run
	$(BIN)/framewise schema --output schema.graphql
	$(BIN)/python -m scripts.schema reference

check-schema: $(VENV)/.run
	$(BIN)/framewise schema --check schema.graphql
	$(BIN)/python -m scripts.schema check

audit: $(VENV)/.dev
	$(BIN)/python -m scripts.audit

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

chaos: $(VENV)/.dev
	$(BIN)/python -m tests.chaos $(CHAOS)

lock: $(VENV)/.bootstrap
	$(COMPILE) pyproject.toml --group dev --group web -o requirements/dev.lock
	$(COMPILE) pyproject.toml --group web -c requirements/dev.lock -o requirements/run.lock
	$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.lock
	$(COMPILE) tests/tools/datumaro.in -o tests/tools/datumaro.lock
