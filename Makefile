# Everything here runs on a fresh checkout with Python 3.11+ and make; `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough and was compiled with optimizations: without them, as pyenv compiles, everything takes
# a sixth more processor time. A distribution's has them and does not tell. If there is none, the first that is new enough;
# `make PYTHON=… setup` chooses another.
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3
OPTIMIZED := import ensurepip, sys, sysconfig, venv; \
	sys.exit(sys.base_prefix != "/usr" and "--enable-optimizations" not in (sysconfig.get_config_var("CONFIG_ARGS") or ""))
PYTHON ?= $(shell for check in '$(OPTIMIZED)' ''; do for python in $(PYTHONS); do \
	"$$python" -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null && "$$python" -c "$$check" 2>/dev/null \
	&& echo "$$python" && break 2; done; done)
COVERAGE_PERCENT_MIN := 95
# Two cores serve three workers: two leave a sixth of the time unused while they wait for PostgreSQL and other processes,
# and four get into each other's way.
TEST_WORKERS = $(shell $(BIN)/python -c 'import os; print(max(3, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))')
# Workers that are forks have imported and collected everything when they begin. Elsewhere than on Linux the system's own
# libraries do not bear a fork, and on every system coverage is measured in processes that begin by themselves.
APART = -n $(TEST_WORKERS) --dist worksteal
SHARED = $(if $(filter Linux,$(shell uname -s)),--forks $(TEST_WORKERS),$(APART))
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
# Checks need no database and keep away from the data of `forecourt up`.
CHECK := FORECOURT_DATA_DIR=.cache/check
ARGS ?=
# What mypy found is kept for the next run by `make types`, and by `make test` where it was kept before: to write it takes a
# sixth of a run.
MYPY_CACHE ?=
# A test run has hundreds of processes; where they may not keep what they compile, each compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-dev demo test tests coverage programs lint check types bench faults kills money-faults second worlds sandbox sandbox-key fuzz audit client pictures lock clean system

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/platform.stamp ## virtual environment with what the platform needs

setup-dev: $(VENV)/dev.stamp ## the same with what tests and lint need

demo: $(VENV)/platform.stamp ## the platform with a sample fleet; ARGS="--once --json OUT" and more
	$(BIN)/python -m forecourt.cli demo $(ARGS)

test: ## everything that CI checks
	@$(MAKE) --no-print-directory --jobs=4 lint types tests MYPY_CACHE=$(if $(wildcard .mypy_cache),,--cache-dir=/dev/null)

# mypy keeps one core for most of a minute, so the tests do not wait for it.
tests: $(VENV)/dev.stamp system
	$(BIN)/python -m pytest $(SHARED) $(ARGS)

# Apart from test: tracing every line and branch makes the same tests take two thirds more processor time.
coverage: $(VENV)/dev.stamp system ## the same tests, and which lines and branches none of them runs
	$(BIN)/python -m pytest $(APART) --cov --cov-report=term \
		--cov-fail-under=$(COVERAGE_PERCENT_MIN) $(ARGS)

programs: $(VENV)/dev.stamp system .cache/litellm/made.stamp ## LiteLLM's proxy against the platform; large, so apart from test
	LITELLM=.cache/litellm/bin/litellm $(BIN)/python -m pytest tests/programs/litellm_walk.py $(ARGS)

lint: $(VENV)/dev.stamp ## style, templates, import directions, migrations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	find . -path ./$(VENV) -prune -o -name '*.html' -path '*/templates/*' -print0 | xargs -0 -r $(BIN)/djade --check
	$(BIN)/lint-imports
	$(CHECK) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

types: $(VENV)/dev.stamp ## mypy, strict
	$(CHECK) $(BIN)/mypy $(MYPY_CACHE)

bench: $(VENV)/dev.stamp ## every benchmark, as ratios within one run
	@test -n "$(wildcard bench/[a-z]*.py)" || { echo "There is no benchmark in bench/."; exit 1; }
	set -e; for file in $(wildcard bench/[a-z]*.py); do echo "== $$file"; $(BIN)/python "$$file" $(ARGS); done

faults: $(VENV)/dev.stamp ## a thousand seeded faults between counter and usage hour; ARGS chooses seeds
	$(BIN)/python -m tests.faults.metering $(ARGS)

second: $(VENV)/dev.stamp ## rate 100,000 random contracts by two engines; ARGS chooses how many
	$(BIN)/python -m tests.second $(ARGS)

worlds: $(VENV)/dev.stamp system ## 1,000 random worlds: books and evidence files agree; ARGS goes to pytest
	WORLDS=1000 $(BIN)/python -m pytest $(SHARED) tests/flows/test_worlds.py $(ARGS)

kills: $(VENV)/dev.stamp ## kill -9 of every part of the whole platform; ARGS chooses seeds
	$(BIN)/python -m tests.faults $(ARGS)

money-faults: $(VENV)/dev.stamp ## a thousand seeds of closes that die or meet, clocks that go back, a backup put back
	$(BIN)/python -m tests.faults.money $(ARGS)

sandbox: sandbox-key $(VENV)/dev.stamp ## what is believed of Stripe, tried on Stripe itself: SANDBOX_STRIPE_KEY=sk_test_…
	$(BIN)/python -m pytest tests/billing/stripe_gateway/test_invoices__sandbox.py $(ARGS)

sandbox-key:
	@case "$$SANDBOX_STRIPE_KEY" in sk_test_?*|rk_test_?*) ;; *) \
	  echo "SANDBOX_STRIPE_KEY: expected a key of a Stripe sandbox, sk_test_… or rk_test_…; nothing was tried" >&2; exit 1;; esac

fuzz: $(VENV)/dev.stamp ## ten million spoilt inputs through every decoder; ARGS chooses how many
	$(PIP) install --require-hashes -r requirements-fuzz.lock
	$(BIN)/python -m tests.fuzz $(ARGS)

# Asks a service on the network, so it is apart from test.
audit: ## what is known to be wrong with the locked dependencies (pip-audit; needs the network)
	$(PYTHON) -m venv .cache/audit
	.cache/audit/bin/python -m pip --quiet --disable-pip-version-check --no-input install pip-audit
	.cache/audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements.lock

client: $(VENV)/dev.stamp ## write the Python client in docs/client anew from the API's document
	$(CHECK) $(BIN)/python manage.py write_client

pictures: $(VENV)/dev.stamp ## pictures of the main pages; ARGS="ADDRESS PASSWORD" of a demo that is up
	$(BIN)/python -m tests.pictures $(ARGS)

lock: ## resolve the dependencies anew and write both lock files
	@command -v uv >/dev/null || { echo "make lock needs uv: pipx install uv"; exit 1; }
	uv lock
	uv export --frozen --all-extras --no-dev --no-emit-project --no-header --no-annotate \
		--format requirements-txt --output-file requirements.lock >/dev/null
	uv export --frozen --all-extras --no-emit-project --no-header --no-annotate \
		--format requirements-txt --output-file requirements-dev.lock >/dev/null
	echo 'uv==0.13.9' | uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --no-emit-index-url --output-file requirements-uv.lock - >/dev/null
	echo 'litellm[proxy]==1.106.2' | uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --no-emit-index-url --output-file requirements-litellm.lock - >/dev/null

clean: ## remove what can be made again; data in .forecourt stays
	rm -rf $(VENV) .cache .coverage .coverage.* htmlcov staticfiles .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The browser and the servers that tests of "your own PostgreSQL, Redis, RabbitMQ" run against.
system:
	@.ci/system-packages

# It needs other versions than the platform: an environment of its own.
.cache/litellm/made.stamp: requirements-litellm.lock $(VENV)/made.stamp
	$(BIN)/python -m venv .cache/litellm
	.cache/litellm/bin/python -m pip --quiet --disable-pip-version-check --no-input install --require-hashes -r $<
	@touch $@

$(VENV)/made.stamp:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python3."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than Python 3.11: install a newer one, or say make PYTHON=/path/to/python3."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# The lock files name everything that is needed, so nothing is looked for beyond them.
# The checkout itself is put on the path, so that nothing outside the lock file is downloaded to build it. Python
# compiles what it imports, a third of the nine thousand modules; to compile all of them took half of the installing.
$(VENV)/platform.stamp: requirements.lock $(VENV)/made.stamp
	$(BIN)/python -m forecourt.installing requirements.lock
	@$(BIN)/python -c 'import pathlib, sysconfig; \
		pathlib.Path(sysconfig.get_path("purelib"), "forecourt.pth").write_text(f"{pathlib.Path.cwd()}\n")'
	@printf '#!/bin/sh\nexec "$$(dirname "$$0")/python" -m forecourt.cli "$$@"\n' > $(BIN)/forecourt
	@chmod +x $(BIN)/forecourt
	@touch $@

$(VENV)/dev.stamp: pyproject.toml requirements-dev.lock $(VENV)/platform.stamp
	$(BIN)/python -m forecourt.installing requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
