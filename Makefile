# Two commands do everything on a fresh machine with Python >= 3.11 and a C++ compiler: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml CMakeLists.txt constraints.txt $(shell find src/calibrant/kernels/native -type f 2>/dev/null)

.PHONY: help demo test install lint format bench docs clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/installed  ## install, run the main job on the embedded example, say where the report is
	$(BIN)/calibrant report --example satellite --output calibrant-report.html --save calibrant-map.safetensors

test: $(VENV)/installed-dev  ## run all tests
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -q

install: $(VENV)/installed  ## install calibrant into .venv

lint: $(VENV)/installed-dev  ## check style, types, layers and budgets
	$(BIN)/ruff check .
	$(BIN)/ruff format --check src tests tools benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/budgets.py src/calibrant

format: $(VENV)/installed-dev  ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install  ## measure against peers, in an environment of their own; writes benchmarks/RESULTS.md
	$(MAKE) -C benchmarks PYTHON=$(PYTHON)

docs: $(VENV)/installed-dev  ## write the generated pages and build the site into site/
	$(BIN)/python tools/make_docs.py
	$(BIN)/python tools/cli_docs.py
	$(BIN)/mkdocs build --strict --quiet

clean:  ## remove everything that was built
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@sh tools/preflight.sh $(PYTHON)
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python $(SOURCES)
	@sh tools/preflight.sh $(PYTHON)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
