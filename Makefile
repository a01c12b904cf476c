# make run   opens the console            make test      every check and test
# make check the fast half, some minutes  make test-all  the suite on every Python 3.11..3.13 here
# make bench the measured rows, 8 minutes make lock      the pinned libraries, resolved anew
# make simulate ARGS="--to 25000 liar"     seeds of the harsh venues, on from where they stopped
# make venue-seeds ARGS="okx --to 1000"    the whole engine at the venues' local servers, likewise
# make first-hours   what the default earns in the simulated market: 100 seeds of four hours
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
ROW ?=
PROFILE ?=
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help run test check test-all lint typing kill-states bench bench-long simulate venue-seeds first-hours watched-hour calendars lock screenshots clean

help:
	@sed -n 's/^# //p' Makefile | head -n 6

run: $(STAMP)
	@$(BIN)/meridian-tui $(ARGS)

test: lint
	$(BIN)/python -m pytest -q -n 3 --dist worksteal -m "not long"

check: lint
	$(BIN)/python -m pytest -q -n 2 -m "not slow"

lint: $(STAMP)
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# 1,000 rows of keys into every field through a pty, 10,000 quotes a second beside them.
typing: $(STAMP)
	MERIDIAN_TYPING_ROWS=1000 $(BIN)/python -m pytest -q tests/process/test_typing_pty.py $(ARGS)

# A kill in forty states of engine, venue, output and disk, and with a hundred orders at each venue,
# as processes: about seven minutes.
kill-states: $(STAMP)
	$(BIN)/python -m pytest -q -n 4 --dist worksteal -m long tests/process/test_kill_matrix.py \
	  tests/process/test_venue_kill.py $(ARGS)

# Each version in an environment of its own; one that is not here, or does not start, is named.
test-all:
	@missing=""; \
	for v in 3.11 3.12 3.13; do \
	  found=""; \
	  for p in "python$$v" "$$(command -v pyenv >/dev/null && pyenv root || true)"/versions/$$v*/bin/python; do \
	    if "$$p" -c pass >/dev/null 2>&1; then found="$$p"; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then missing="$$missing $$v"; continue; fi; \
	  echo "== Python $$v: $$found"; \
	  $(MAKE) --no-print-directory test PYTHON="$$found" VENV=".venv-$$v"; \
	done; \
	[ -z "$$missing" ] || echo "not found here, so not tested:$$missing"

# ROW=g1 runs one row; PROFILE=1 shows where the time goes in the measured process, by module.
bench: $(STAMP)
	BENCH_PROFILE="$(PROFILE)" $(BIN)/python -m tests.bench $(ROW) $(ARGS)

# The rows that do not fit its eight minutes.
bench-long: $(STAMP)
	BENCH_PROFILE="$(PROFILE)" $(BIN)/python -m tests.bench --long $(ROW) $(ARGS)

# Resumable: .simulated/ says which seed of each profile is next.
simulate: $(STAMP)
	@$(BIN)/python -m tests.simulation.harsh $(ARGS)

# As simulate, over sockets: (venue, seed); .simulated/ says which seed of each venue is next.
venue-seeds: $(STAMP)
	@$(BIN)/python -m tests.venues.seeded $(ARGS)

# Exits 1 where the market is not fair before costs, or more than 5 in 100 halt.
first-hours: $(STAMP)
	@$(BIN)/python -m tests.tools.first_hour $(ARGS)

# The default in tmux, from a fresh clone, against the paper venue's book; ARGS="--minutes 10".
watched-hour: $(STAMP)
	@$(BIN)/python -m tests.tools.watched_hour $(ARGS)

# The generator is a development tool: it wants the extra `dev`.
calendars: $(STAMP)
	@$(BIN)/python -c 'import exchange_calendars' 2>/dev/null || $(BIN)/python -m pip install -q 'exchange_calendars>=4.11'
	$(BIN)/python -m tests.tools.generate_calendars

lock: $(STAMP)
	@command -v uv >/dev/null || [ -x $(BIN)/uv ] || $(BIN)/python -m pip install -q uv
	PATH="$(CURDIR)/$(BIN):$$PATH" uv pip compile pyproject.toml requirements.in --extra test \
	  --extra alpaca --extra binance --extra ccxt --extra coinbase --extra ibkr --extra oanda --extra okx \
	  --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet -o requirements.lock $(ARGS)

screenshots: $(STAMP)
	$(BIN)/python -m tests.tools.screenshots

clean:
	rm -rf .venv .venv-3.* build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installed once for each lock and pyproject: the pinned set by hash, then the project itself.
$(STAMP): requirements.lock pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11, 3.12 or 3.13, or name one with PYTHON=..." >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"meridian-tui needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is {v[0]}.{v[1]}: name another with PYTHON=...")'
	@echo "installing into $(VENV) ..."
	@if command -v uv >/dev/null; then \
	  [ -x $(BIN)/python ] || uv venv --quiet --python "$(PYTHON)" $(VENV); \
	  uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock; \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  [ -x $(BIN)/python ] || "$(PYTHON)" -m venv $(VENV); \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	@touch $@
