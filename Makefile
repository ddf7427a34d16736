PYTHON ?= python3
BIN := .venv/bin

.PHONY: test check demo
.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test,check]'
	touch $@

test: .venv/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not gpu"
