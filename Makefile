# BayeScale: `make demo` and `make test` do everything from a bare checkout.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: help install demo test test-slow lint format wheel-test tutorial validate clean

help:
	@echo "make install     create $(VENV) and install BayeScale into it (PYTHON=python3.13 chooses the interpreter)"
	@echo "make demo        fit the bundled leaderboard and predict held-out larger models"
	@echo "make test        the tests, under 15 minutes on two cores"
	@echo "make test-slow   calibration and full fits"
	@echo "make lint        ruff and mypy"
	@echo "make format      let ruff format the code"
	@echo "make wheel-test  build the wheel and run the demo from it in an empty environment"
	@echo "make tutorial    run the notebooks of tutorials/ from a clean start"
	@echo "make validate    simulation-based calibration of the models of leaderboards (an hour or more; resumes)"
	@echo "make clean       remove $(VENV), caches and builds"

install: $(READY)
	@echo "ready: $(VENV)/bin/bayescale --help"

$(READY): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
	  echo "no '$(PYTHON)' on this machine: install Python 3.11, 3.12 or 3.13, or name one with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; \
	  sys.exit(0 if (3, 11) <= v <= (3, 13) else "BayeScale needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d: name another one, as in: make install PYTHON=python3.12" % v)'
	@echo "== creating the environment $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@echo "== installing BayeScale and its tools from the package index (a minute or two)"
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $(READY)

demo: $(READY)
	@echo "== fitting the bundled leaderboard and predicting held-out larger models"
	@$(VENV)/bin/bayescale demo

test: $(READY)
	@echo "== running the tests (not the slow ones)"
	@$(PY) -m pytest -n 2 --dist worksteal

test-slow: $(READY)
	@echo "== running the slow tests"
	@$(PY) -m pytest -m slow -n 2 --dist loadgroup

lint: $(READY)
	@echo "== ruff check"
	@$(PY) -m ruff check .
	@echo "== ruff format --check"
	@$(PY) -m ruff format --check .
	@echo "== mypy"
	@$(PY) -m mypy

format: $(READY)
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

wheel-test: $(READY)
	@.ci/wheel-test $(PY)

tutorial: $(READY)
	@echo "== running the tutorials"
	@$(PY) -m jupyter execute --timeout=1800 tutorials/*.ipynb

validate: $(READY)
	@echo "== simulation-based calibration (resumes where it stopped)"
	@$(PY) -m benchmarks.sbc

clean:
	@rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis bayescale-demo
