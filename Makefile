# Thin: each target makes the virtual environment from constraints.txt when it is missing or out of date, then calls one tool.
# Another interpreter: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# One torch thread per test process: the processes share the cores, and no result depends on how many there are.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: help demo download train test test-long lint bench readme notebooks report
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | awk -F'|' '{ printf "  make %-10s %s\n", $$1, $$2 }'

demo: $(STAMP) ## train two recipes for seven epochs on the embedded corpus and compare them (about 3 minutes)
	@$(BIN)/sevenepochs demo

download: $(STAMP) ## the challenge's titles, 426 MB from the Hugging Face hub
	@$(BIN)/sevenepochs corpus hub

train: $(STAMP) ## the record recipe under the rules, on the challenge's titles (ARGS="rope --seed 3" for another)
	@$(BIN)/python train.py $(ARGS)

test: $(STAMP) ## the tests, under 10 minutes
	$(PYTEST) -n auto --maxprocesses 4 --dist worksteal

test-long: $(STAMP) ## the tests that take minutes each
	$(PYTEST) -m long -n auto --maxprocesses 4 --dist worksteal

lint: $(STAMP) ## ruff, mypy, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) benchmarks/.venv-litgpt/.installed ## training steps side by side with other packages (minutes; ARGS="ours plain" for some)
	$(BIN)/python benchmarks/bench.py $(ARGS)

benchmarks/.venv-litgpt/.installed: benchmarks/litgpt.txt
	$(PYTHON) -m venv benchmarks/.venv-litgpt
	benchmarks/.venv-litgpt/bin/python -m pip install --disable-pip-version-check -q -r benchmarks/litgpt.txt
	@touch $@

report: $(STAMP) ## the site that tells the story of results/, in build/report (ARGS="--pdf --open")
	@$(BIN)/sevenepochs report $(ARGS)

readme: $(STAMP) ## the README's results table, from results/
	$(BIN)/python -m sevenepochs.report.readme_table

notebooks: $(STAMP) ## notebooks/*.ipynb, executed again from results/
	$(BIN)/python -m sevenepochs.report.execute_notebooks

# The stamp is written last: an install that was cut short is simply done again.
$(STAMP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
