# Every target makes the virtual environment it needs (uv where present, pip otherwise).
VENV ?= .venv
BIN := $(VENV)/bin
export PYTHON ?= python3
OUT ?= runs/first-floor

.DEFAULT_GOAL := help
.PHONY: help run test test-slow check format bench bench-offline docs docs-serve build clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run:  ## a team of four offline roles researches four tasks, and prints the scored table
	@scripts/setup $(VENV)
	$(BIN)/mlyceum run battle-of-sexes prisoners-dilemma colonel-blotto 3-sat --team full --control random-search \
	  --seeds 3 --budget 20 --workspace process-if-needed --out $(OUT)

test:  ## the quick suite
	@scripts/setup $(VENV) dev study,view
	$(BIN)/python -m pytest -q -m "not slow" --durations=15

test-slow:  ## what takes longer
	@scripts/setup $(VENV) dev study,view
	$(BIN)/python -m pytest -q -m slow

check:  ## form, lint, types
	@scripts/setup $(VENV) dev study,view
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright

format:  ## put everything into form
	@scripts/setup $(VENV) dev study,view
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench:  ## speed and memory, each beside a peer or a limit measured in the same run
	@scripts/setup $(VENV) none perf
	$(BIN)/python -m benchmarks.perf

bench-offline:  ## what the offline team finds, against its controls and ablations (long)
	@scripts/setup $(VENV)
	$(BIN)/python -m benchmarks.offline

docs:  ## build the site, strictly
	@scripts/setup $(VENV) docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-serve:  ## the site, live
	@scripts/setup $(VENV) docs
	$(BIN)/mkdocs serve

build:  ## wheel and source distribution
	@scripts/setup $(VENV) dev study,view
	$(BIN)/python -m build -q

clean:  ## remove what the targets made
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
