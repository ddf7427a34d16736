PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check

demo: .venv/.installed
	$(BIN)/flawsmith run demo --out runs/demo --config examples/demo.yaml

test: .venv/.installed check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not gpu"

check: .venv/.installed
	$(BIN)/ruff format --check src tests benchmarks docs
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test,check]'
	touch $@
