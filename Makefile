# What a person types here. `make` alone lists the verbs; hooks and CI call nothing else.
#
# A fresh clone needs python3 (3.11 or newer) with pip, and this file. Everything else is installed into
# .venv from requirements/*.txt, each file checked against its hash; nothing unpinned is ever fetched.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules
.SUFFIXES:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
CODEGEN := .codegen
ENGINE ?= docker

# The Python at hand is used, never a downloaded one; a caller's own paths do not leak in.
export UV_PYTHON_DOWNLOADS := never
# A certificate that this machine trusts is trusted here too, as pip does it.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS ?= true
endif
export BUF_CACHE_DIR := $(CURDIR)/$(VENV)/.cache/buf
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

# Caches live in the home directory where there is one to write to, else beside the environment.
ifneq ($(shell [ -n "$$HOME" ] && [ -w "$$HOME" ] && echo yes),yes)
export HOME := $(CURDIR)/$(VENV)/.cache/home
endif

# An interpreter that is asked for by name must not be ignored because an environment stands already.
asked := $(filter-out file,$(origin PYTHON))
ifneq ($(if $(filter clean help,$(or $(MAKECMDGOALS),help)),,$(asked)),)
standing := $(shell [ -x $(BIN)/python ] && $(BIN)/python -V 2>&1)
ifneq ($(standing),)
ifneq ($(standing),$(shell $(PYTHON) -V 2>&1))
$(error $(VENV) was made with $(standing): `make clean` first, then again with PYTHON=$(PYTHON))
endif
endif
endif

# `run` is content with fewer packages than the other verbs, and never takes any away from them.
FULL := $(wildcard $(VENV)/.ready-dev)$(filter-out run,$(MAKECMDGOALS))
READY := $(VENV)/.ready-$(if $(FULL),dev,run)
DEV := $(VENV)/.ready-dev

##@ Every day
.PHONY: run test check setup
run: $(READY) ## the gateway, a paper exchange and a little trader, on loopback [ARGS="--seed 42"]
	@$(BIN)/execsvc dev $(ARGS) || [ $$? -eq 130 ]

# A file is one worker's: what its tests share, processes and whole matrices, is started once. The long suites come first.
test: $(DEV) ## all tests, on two cores; those that are chosen, on one [PYTEST="-k order tests/unit"]
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(PYTEST)

check: lint types imports tidy gen-check buf ## everything below that judges and changes nothing

setup: $(DEV) ## make .venv with all that the other verbs need

##@ One at a time
.PHONY: fmt lint types imports tidy gen gen-check buf
fmt: $(DEV) ## format Python and proto files, fix what can be fixed
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format --quiet
	@$(BIN)/buf format --write

lint: $(DEV) ## ruff: rules and format
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check

types: $(DEV) ## mypy, strict: the service, the client, the tools
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/mypy --no-error-summary tools

imports: $(DEV) ## the floors: who may import whom
	@said=$$($(BIN)/lint-imports 2>&1) || { echo "$$said"; exit 1; }

tidy: $(DEV) ## the house rules that no other tool knows [TIDY=--sizes]
	@$(BIN)/python tools/tidy.py $(TIDY)

gen: $(DEV) $(CODEGEN)/.ready ## generated code, from proto/; another language's where its toolchain is
	@$(CODEGEN)/bin/python tools/gen.py
	@$(BIN)/python tools/gen_clients.py

gen-check: $(DEV) $(CODEGEN)/.ready ## is the generated code as proto/ says?
	@$(CODEGEN)/bin/python tools/gen.py --check
	@$(BIN)/python tools/gen_clients.py --check

buf: $(DEV) ## the contract: lint, format, nothing broken since the last release
	@$(BIN)/buf lint
	@$(BIN)/buf format --diff --exit-code
	@$(BIN)/buf breaking --against proto/contract.binpb

##@ Parts of the tests
.PHONY: unit prop sim sim-planted saturation fault e2e clients
unit: $(DEV) ## units and properties, on two cores [PYTEST="-k order"]
	@$(BIN)/python -m pytest -n 2 --dist worksteal tests/unit tests/property $(PYTEST)

prop: $(DEV) ## what holds for all inputs, wherever it stands [PYTEST=…]
	@$(BIN)/python -m pytest -m hypothesis $(PYTEST)

sim: $(DEV) ## seeded days in virtual time, judged [SEEDS=2000 JOBS=2] or one of them, told [SEED=17]
	@$(BIN)/python -m tests.sim $(if $(SEED),--seed $(SEED) --verbose,--seeds $(or $(SEEDS),200) --jobs $(or $(JOBS),2)) $(SIM)

sim-planted: $(DEV) ## thirty-six bugs that the simulation must find, and how soon
	@$(BIN)/python -m tests.sim.planted $(SIM)

saturation: $(DEV) ## ten virtual minutes of more demand than there is, for each tier [SATURATION="--tier pro"]
	@$(BIN)/python -m tests.sim.saturation $(SATURATION)

fault: $(DEV) ## kill -9, chaos on the wire, torn files, full disks [PYTEST=…]
	@$(BIN)/python -m pytest tests/fault $(PYTEST)

e2e: $(DEV) ## whole processes only [PYTEST=…]
	@$(BIN)/python -m pytest tests/e2e $(PYTEST)

clients: $(DEV) ## the clients in other languages [PYTEST="-k go"]
	@$(BIN)/python -m pytest -m clients $(PYTEST)

##@ And
.PHONY: paper bench docs image lock clean help
paper: $(DEV) ## the paper exchange alone, for any Kraken client [ARGS="--port 0 --print-env"]
	@exec $(BIN)/execsvc paper $(ARGS)

bench: $(DEV) ## measure, and write benchmarks/results
	@$(BIN)/python benchmarks/startup.py
	@$(BIN)/python benchmarks/place.py
	@$(BIN)/python benchmarks/tracing.py
	@$(BIN)/python benchmarks/nonces.py
	@$(BIN)/python benchmarks/books.py
	@$(BIN)/python benchmarks/fanout.py
	@$(BIN)/python benchmarks/readers.py

docs: $(DEV) ## reference pages that are made from the code
	@$(BIN)/python tools/docs.py
	@$(BIN)/python tools/kraken_coverage.py

image: ## build the container image, start it, ask for its health (needs a container engine)
	@$(ENGINE) build --tag execsvc:dev .
	@set -e; id=$$($(ENGINE) run --detach --rm --read-only --tmpfs /tmp execsvc:dev); \
	trap '$(ENGINE) stop "$$id" >/dev/null' EXIT; \
	tries=0; until $(ENGINE) exec "$$id" execsvc health; do \
	  tries=$$((tries + 1)); [ $$tries -lt 30 ] || { $(ENGINE) logs "$$id" >&2; exit 1; }; sleep 1; \
	done

lock: $(DEV) ## write requirements/*.txt anew from the *.in files [LOCK=--upgrade]
	@cd requirements && for name in uv build run dev codegen peers; do \
	  ../$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate $(LOCK) $$name.in --output-file $$name.txt >/dev/null || exit 1; \
	done

clean: ## remove environments and caches
	@rm -rf $(VENV) $(CODEGEN) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "%s%s\n", sep, substr($$0, 5); sep = "\n" } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# --- the environment ---------------------------------------------------------------------------------
# pip is used once, to install the pinned uv; it may be the interpreter's own or one that venv brings.
$(VENV)/.made: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "execsvc needs Python 3.11 or newer. Name one: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "setup: $(VENV), $$($(PYTHON) -V 2>&1), once" >&2
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv --without-pip --clear $(VENV)
	@mkdir -p "$$HOME"
	@set -e; pip="$(PYTHON) -m pip --python $(BIN)/python"; \
	$$pip --version >/dev/null 2>&1 || { $(PYTHON) -m venv $(VENV); pip="$(BIN)/python -m pip"; }; \
	$$pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r requirements/uv.txt
	@touch $@

# uv does not read pip's settings: the index and the certificates that pip was told to use are handed on.
define install
	@echo "setup: packages of requirements/$(1).txt" >&2
	@set -e; pip_says() { $(PYTHON) -m pip config get "global.$$1" 2>/dev/null || :; }; \
	index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$(pip_says index-url)}}; \
	if [ -n "$$index" ]; then UV_DEFAULT_INDEX=$$index; export UV_DEFAULT_INDEX; fi; \
	trust=$${SSL_CERT_FILE:-$${PIP_CERT:-$$(pip_says cert)}}; \
	if [ -n "$$trust" ]; then SSL_CERT_FILE=$$trust; export SSL_CERT_FILE; fi; \
	$(UV) pip sync --quiet --python $(2)/bin/python --require-hashes requirements/$(1).txt \
	  --build-constraints requirements/build.txt --require-build-hashes
endef
define editable
	@$(UV) pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation -e ./clients/python -e .
endef

PROJECTS := pyproject.toml clients/python/pyproject.toml

$(VENV)/.ready-run: $(VENV)/.made requirements/run.txt $(PROJECTS)
	$(call install,run,$(VENV))
	$(call editable)
	@touch $@

# dev.txt holds every pin of run.txt, so a full environment serves `make run` too.
$(VENV)/.ready-dev: $(VENV)/.made requirements/dev.txt requirements/build.txt $(PROJECTS)
	$(call install,dev,$(VENV))
	$(call editable)
	@touch $(VENV)/.ready-run $@

# Code is generated with older tools than the service runs on: they cannot share an environment.
$(CODEGEN)/.ready: $(VENV)/.made requirements/codegen.txt
	@[ -x $(CODEGEN)/bin/python ] || $(PYTHON) -m venv --without-pip --clear $(CODEGEN)
	$(call install,codegen,$(CODEGEN))
	@touch $@
