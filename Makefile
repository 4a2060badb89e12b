# Every target makes what it needs in .venv, once, and again when pyproject.toml changes.
# Another Python:  make test PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help demo lab test check docs bench soak fuzz clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

demo: .venv/.base ## a first look: the exchange on this machine, no network, no account
	@$(BIN)/cdcx-pandas demo

lab: .venv/.lab ## JupyterLab with the first notebook
	@$(BIN)/jupyter lab notebooks/01_quickstart.ipynb

JOBS ?= 2
test: .venv/.dev ## all tests, two files at a time; make test JOBS=8
	@MPLBACKEND=Agg $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

check: .venv/.dev ## format, lint, types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest --quiet tests/test_layers.py

docs: .venv/.dev ## the pages that are made from the source
	@$(BIN)/python docs/generate.py

bench: .venv/.dev ## speed, beside what else one could use
	@$(BIN)/python -m tests.benchmarks

soak: .venv/.dev ## reconnects by the ten thousand, and a long look at memory (two hours)
	@$(BIN)/python -m tests.faults.soak_world
	@$(BIN)/python -m tests.faults.soak
	@$(BIN)/python -m tests.faults.soak_view

RUNS ?= 20
FRAMES ?= 1000000
fuzz: .venv/.dev ## a million damaged frames, then the laws with other seeds; make fuzz RUNS=100
	@test -d tests/laws || { echo "make fuzz: tests/laws is not written yet"; exit 1; }
	@$(BIN)/python -m tests.faults.fuzz $(FRAMES)
	@run=0; while [ $$run -lt $(RUNS) ]; do \
		run=$$((run + 1)); echo "fuzz $$run of $(RUNS)"; \
		MPLBACKEND=Agg $(BIN)/python -m pytest --quiet tests/laws --hypothesis-seed=random || exit 1; \
	done

clean: ## remove what make and the tools made; your data stays
	@rm -rf .venv .venv-oldest .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Bytecode is made on first use here, and for all at once with the tests: a demo starts sooner.
.venv/.base: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: Python 3.11 or later is needed: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "make: this Python has no venv; on Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@echo "make: setting up .venv (once; about half a minute)"
	@$(PYTHON) -m venv .venv
	@$(PIP) install --no-compile --editable .
	@touch $@

.venv/.dev: .venv/.base
	@echo "make: adding what tests and checks need (once; about a minute)"
	@$(PIP) install --no-compile --editable '.[dev]'
	@$(BIN)/python -m compileall -qq -j 0 .venv/lib || true
	@touch $@

.venv/.lab: .venv/.base
	@echo "make: adding JupyterLab (once; about half a minute)"
	@$(PIP) install --editable '.[lab]'
	@touch $@
