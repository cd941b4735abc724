# Thin: each target makes the virtual environment from constraints.txt when it is missing or out of date, then calls one tool.
# Another interpreter: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LITGPT := benchmarks/.venv-litgpt
ALONE := tests/serve/test_load.py tests/serve/test_attack.py tests/campaign/test_workers.py tests/faults/test_faults.py
SITE_PACKAGES := import sysconfig; print(sysconfig.get_path("purelib"))

# One torch thread per test process: the processes share the cores, and no result depends on how many there are.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: help demo download train test test-long lint bench docs readme notebooks report
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | awk -F'|' '{ printf "  make %-10s %s\n", $$1, $$2 }'
	@echo 'Next, once `make demo` has installed everything:'
	@sed 's|^  sevenepochs|  $(BIN)/sevenepochs|' src/sevenepochs/cli/next_steps.txt

demo: $(STAMP) ## train three small models on the embedded corpus and show how low they get (some minutes)
	@$(BIN)/sevenepochs demo

download: $(STAMP) ## the challenge's titles, 426 MB from the Hugging Face hub
	@$(BIN)/sevenepochs corpus hub

train: $(STAMP) ## the record recipe under the rules, on the challenge's titles (ARGS="rope --seed 3" for another)
	@$(BIN)/python train.py $(ARGS)

test: $(STAMP) ## the tests, some minutes
	$(PYTEST) -n auto --maxprocesses 4 --dist worksteal

# Some come last and by themselves: they print figures, which others would disturb and a worker process would hide.
test-long: $(STAMP) ## the tests that take minutes each
	$(PYTEST) -m long -n auto --maxprocesses 4 --dist worksteal $(ALONE:%=--ignore=%)
	$(PYTEST) -m long $(ALONE)

lint: $(STAMP) ## ruff, mypy, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) $(LITGPT)/.installed ## speed and memory, side by side with other packages (ARGS="step" for one benchmark)
	$(BIN)/python benchmarks/bench.py $(ARGS)

# On top of our environment, which gives it torch: the same build for both, and not installed twice.
$(LITGPT)/.installed: benchmarks/litgpt.txt $(STAMP)
	$(BIN)/python -m venv --clear $(LITGPT)
	$(LITGPT)/bin/python -m pip install --disable-pip-version-check -q --no-deps -r benchmarks/litgpt.txt
	@$(BIN)/python -c '$(SITE_PACKAGES)' > $$($(LITGPT)/bin/python -c '$(SITE_PACKAGES)')/ours.pth
	$(LITGPT)/bin/python -c 'import litgpt.model'
	@touch $@

report: $(STAMP) ## the site that tells the story of results/, in build/report (ARGS="--pdf --open")
	@$(BIN)/sevenepochs report $(ARGS)

docs: $(STAMP) ## the README's and docs' tables, figures and outputs, from results/
	$(BIN)/python -m sevenepochs.report.write_docs
	$(BIN)/python tests/test_docs.py

readme: docs # its name until version 0.2

notebooks: $(STAMP) ## notebooks/*.ipynb, executed again from results/
	$(BIN)/python -m sevenepochs.report.notebooks

# The stamp is written last: an install that was cut short is simply done again.
$(STAMP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
