# The only commands anyone must know. `make help` prints them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done || echo python3)
BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"
ROOMS := kit auth files billing audit gateway
# Contracts may not break what was released; before the first release, what main holds.
BASE ?= $(shell git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || git rev-parse -q --verify origin/main 2>/dev/null || git rev-parse -q --verify HEAD 2>/dev/null)

.PHONY: help
help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: .setup-run ## set up what is missing and serve Valv at https://localhost:8443 until Ctrl-C
	@exec $(BIN)/python -m deploy.cli run

.PHONY: test
test: check ## set up, check everything, run every test
	@$(PYTHON) deploy/setup.py npm test
	@$(BIN)/python -m pytest -n 2 --max-worker-restart=0 $(ARGS)

.PHONY: check
check: .setup-test ## formats, lints, types, contracts, stubs, layers, trusted computing base, file sizes
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet || { echo "not formatted: run make fmt"; exit 1; }
	@$(BIN)/python protos/generate.py --check
	@cd protos && ../$(BIN)/buf lint
	@$(BIN)/python protos/breaking.py $(BASE)
	@$(BIN)/mypy
	@$(PYTHON) deploy/setup.py npm run --silent check
	@$(BIN)/python -m pytest -q tests/architecture

.PHONY: clauses
clauses: .setup-test ## run every test and print clause -> tests -> result
	@$(BIN)/python -m pytest -n 2 --clauses $(ARGS)

.PHONY: bench
bench: .setup-test ## measure Valv beside the raw limits of this machine; ARGS=audit measures one part
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: screenshots
screenshots: .setup-test ## take the pictures of the README from a running Valv
	@$(BIN)/python -m deploy.screenshots $(ARGS)

.PHONY: setup
setup: .setup-test ## install everything into .venv, .envoy and the built web client

.PHONY: .setup-run .setup-test
.setup-run .setup-test:
	@$(PYTHON) deploy/setup.py $(@:.setup-%=%)

.PHONY: protos
protos: .setup-test ## generate protos/gen and docs/access.md from the contracts
	@$(BIN)/python protos/generate.py
	@$(BIN)/python -m services.gateway.access_table > docs/access.md

.PHONY: tcb
tcb: .setup-test ## measure the trusted computing base into deploy/tcb.toml and docs/tcb.md, and print its size
	@$(BIN)/python -m tests.architecture.tcb

.PHONY: fmt
fmt: .setup-test ## format, and mend what can be mended
	@$(BIN)/ruff check --fix --quiet || true
	@$(BIN)/ruff format

.PHONY: lock
lock: .setup-test ## compile every requirements.in to hashes; ARGS=--upgrade takes new versions
	@for room in deploy/envoy deploy/node tests; do echo "lock: $$room"; \
	  $(COMPILE) $$room/requirements.in -o $$room/requirements.txt $(ARGS) || exit 1; done
	@for room in deploy deploy/images/seaweedfs $(ROOMS:%=services/%); do echo "lock: $$room"; \
	  $(COMPILE) $$room/requirements.in -o $$room/requirements.txt -c tests/requirements.txt \
	    $$(test ! -e $$room/overrides.txt || echo --override $$room/overrides.txt) || exit 1; done

.PHONY: clean
clean: ## remove what was built; var/ (the state of `make run`) stays
	rm -rf .venv .envoy .node .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis protos/.deps \
	  services/gateway/web/dist services/gateway/web/node_modules
	find . -name __pycache__ -prune -exec rm -rf {} +
