# Two commands do everything on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.

PYTHON ?= python3
# Every random test prints its seed; `make test` takes this one, `make test SEED=7` another.
SEED ?= 20251
BIN = .venv/bin
READY = .venv/.ready

.PHONY: demo test test-all bench lint format requirements clean

demo: $(READY)
	rm -rf demo
	$(BIN)/python -m bedrot demo demo

test: $(READY) lint
	$(BIN)/python -m pytest -n 2 -m "not slow" --hypothesis-seed=$(SEED)

test-all: $(READY) lint
	$(BIN)/python -m pytest -n 2 --hypothesis-seed=$(SEED)

bench: $(READY)
	$(BIN)/python benchmarks/demo.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

requirements: $(READY)
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra dev --all-build-deps --generate-hashes --strip-extras --no-emit-index-url \
		--no-emit-find-links --no-header --allow-unsafe --output-file requirements.txt pyproject.toml

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "BEDROT needs Python 3.11 or newer."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

clean:
	rm -rf .venv demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
