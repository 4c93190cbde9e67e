# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
# The first Python on the path that runs and is new enough. A name alone proves nothing: pyenv has a
# command for every version it ever saw, and refuses when that version is not the chosen one.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$python; break; fi; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test check notebooks bench mute mute-small format clean

demo: $(VENV)/.demo
	$(BIN)/probekit demo

test: $(VENV)/.dev check
	$(BIN)/python -m pytest -q -n auto --dist loadfile

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# every notebook from top to bottom, on the example run and the built-in model
notebooks: $(VENV)/.dev
	$(BIN)/python notebooks/run_all.py

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

# does erasing where languages meet carry over? docs/experiment.md; the same command resumes
mute: $(VENV)/.demo
	$(PIP) install --quiet --constraint constraints.txt --editable '.[demo,peft]'
	$(BIN)/probekit experiment studies/mute.yaml -o runs/mute

mute-small: $(VENV)/.demo
	$(PIP) install --quiet --constraint constraints.txt --editable '.[demo,peft]'
	$(BIN)/probekit experiment studies/mute-small.yaml -o runs/mute-small

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	@$(or $(PYTHON),false) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "probekit needs Python 3.11 or newer with its venv module; say which with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install --quiet --constraint constraints.txt --editable '.[demo]'
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install --quiet --constraint constraints.txt --editable '.[demo,dev]'
	touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache
