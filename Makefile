# Everything below works in a fresh clone with Python 3.11 and pip alone; .venv is made on the way.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

# Tests start many processes: what one has compiled the others read, whatever the environment says.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help demo demo-texts demo-images serve-demo test laws lint types imports bench-fast fuzz fuzz-api mlflow-trip mutants clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

demo: $(READY) ## train on the real example data and show what comes out
	@$(BIN)/sortal demo

BUDGET ?= 60s
demo-texts: $(READY) ## the same with texts: which messages are spam? predicts and evaluates new ones, too
	@$(call trip,examples/messages.csv,examples/messages-new.csv,csv,--target label)

demo-images: $(READY) ## the same with images: which digit is it? predicts and evaluates new ones, too
	@$(call trip,examples/digits.zip,examples/digits-new.zip,parquet)

serve-demo: $(READY) ## train, serve, send rows and labels: a page to look at, until Ctrl-C (SECONDS=60 ends it)
	@$(BIN)/python tools/serve_demo.py --budget $(if $(filter command line environment,$(origin BUDGET)),$(BUDGET),30s) $(if $(SECONDS),--seconds $(SECONDS))

# $(call trip,DATA,NEW DATA,FORMAT OF PREDICTIONS,OPTIONS): every command that a person needs, into a new folder of runs/
trip = set -e; mkdir -p runs; out=$$(mktemp -d runs/$@-XXXXXX)/run; \
	$(BIN)/sortal train $(1) $(4) --budget $(BUDGET) --out $$out; \
	$(BIN)/sortal predict $$out/model.sortal $(2) --out $$out/predicted.$(3); \
	$(BIN)/sortal evaluate $$out/model.sortal $(2); \
	echo "$$out:  report.html  model.sortal  predicted.$(3)"

test: $(READY) ## all tests: side by side, then those that measure time, alone
	@$(BIN)/python -m pytest -n auto -m "not clock"
	@$(BIN)/python -m pytest -m clock $$(grep -rl --include="*.py" mark.clock tests)

laws: $(READY) ## all laws, on new random examples
	@$(BIN)/python -m pytest -n auto -m "hypothesis and not clock" --hypothesis-profile=random

lint: $(READY) ## style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY) ## mypy --strict
	@$(BIN)/mypy

imports: $(READY) ## who may import whom
	@$(BIN)/lint-imports

bench-fast: $(READY) ## every benchmark, small
	@set -e; for name in trip deadline certify coverage selection calibration cost sets audit leaks profile rare honesty quality kinds ablation serve swap labels loss quiet alarm gate loop estimate group_shift options fuzz; do $(BIN)/python -m bench $$name --fast; done

fuzz: $(READY) ## is every spoilt file refused or right? 57,000 of them, ten minutes on two cores
	@$(BIN)/python -m bench fuzz

fuzz-api: $(READY) ## does a service answer, as described, whatever its description allows? by schemathesis, half a minute
	@test -x .venv/api/bin/python || $(PYTHON) -m venv .venv/api
	@$(BIN)/python -m pip --python .venv/api/bin/python install -qq --disable-pip-version-check --constraint constraints.txt --group api
	@$(BIN)/python tools/fuzz_api.py .venv/api/bin/schemathesis

mlflow-trip: $(READY) ## does a run go to a real server of MLflow, and does its model come back the same? half a minute
	@test -x .venv/mlflow/bin/python || $(PYTHON) -m venv .venv/mlflow
	@grep -Ev "^(graphql-core|pyarrow|python-dateutil)==" constraints.txt > .venv/mlflow/constraints.txt # MLflow wants older ones
	@$(BIN)/python -m pip --python .venv/mlflow/bin/python install -qq --disable-pip-version-check --constraint .venv/mlflow/constraints.txt --group mlflow
	@$(BIN)/python tools/mlflow_trip.py .venv/mlflow/bin/mlflow

N ?= 200
SEED ?= 0
mutants: $(READY) ## do the tests see a mistake? N=200 of them, drawn by SEED=0, in a copy of the tree
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --group mutants
	@$(BIN)/python tools/mutants.py --number $(N) --seed $(SEED)

clean: ## remove .venv and what tools left behind
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@echo "setting up .venv (once, a minute or two)"
	@$(PYTHON) -c 'import sys; sys.exit("sortal needs Python 3.11 or newer; try make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --upgrade pip
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --build-constraint constraints.txt --editable . --group dev
	@touch $@
