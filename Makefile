# Everything needs only python3 (>= 3.11), make and git; uv is fetched into .venv and installs what uv.lock names.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
IN_PARALLEL := --numprocesses auto --maxprocesses 8 --dist loadfile
# Where no test starts a whole stack.
PARTS := $(addprefix aila_pipeline_tests/,adapters api demo domain)

.PHONY: help setup demo up test test-fast test-slow test-slow-parts test-slow-stacks test-services test-services-fast test-services-slow bench lint format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

setup: $(VENV)/.ready ## install everything into .venv

$(VENV)/.ready: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/pip install --quiet uv; }
	$(BIN)/uv sync --quiet --frozen --inexact --python $(BIN)/python
	@touch $@

demo: setup ## process the sample calls from start to end, in a throw-away home
	$(BIN)/aila demo

up: setup ## start everything in the foreground
	$(BIN)/aila up

test: test-fast test-slow ## all tests that need no outside service

test-fast: setup ## unit tests only, on all processors
	$(BIN)/pytest $(IN_PARALLEL) -m 'not services and not slow'

test-slow: test-slow-parts test-slow-stacks ## whole stacks and long measurements

test-slow-parts: setup ## of these, those of single parts, on all processors
	$(BIN)/pytest $(IN_PARALLEL) -m 'slow and not services' $(PARTS)

test-slow-stacks: setup ## of these, whole stacks, one after the other: they watch the clock
	$(BIN)/pytest $(addprefix --ignore ,$(PARTS)) -m 'slow and not services'

test-services: test-services-fast test-services-slow ## the tests against PostgreSQL, Ceph radosgw and Chromium (Debian packages)

test-services-fast: setup ## of these, those of single parts, on all processors
	tools/services/run $(BIN)/pytest $(IN_PARALLEL) -m 'services and not slow'

test-services-slow: setup ## of these, whole stacks, one after the other
	tools/services/run $(BIN)/pytest -m 'services and slow'

bench: setup ## recognition against others, then the API with a million calls, on SQLite and on PostgreSQL (hours)
	$(BIN)/python -m tools.measurements.speech --models tiny:3 small:1 --growth 10 100 400 --memory 100 10
	$(BIN)/python -m tools.measurements.api_speed
	tools/services/run $(BIN)/python -m tools.measurements.api_speed --postgres

lint: setup ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## ruff's formatter and safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what setup, tests and demo made (never a home)
	rm -rf $(VENV) .aila-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
