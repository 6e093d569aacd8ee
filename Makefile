# Targets with "##" are listed by `make help`.
.DEFAULT_GOAL := help
.PHONY: help run test ui notebook setup test-setup test-slow lint types validate lock bench bench-scale bench-automl screenshots clean

BIN := .venv/bin
ARGS ?=
ROWS ?= 10000000

# Setup compiles bytecode into .venv. These two would hide it or keep it from being renewed.
unexport PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## Run the pipeline and print the forecast (ARGS="--csv FILE --budget 60")
	@$(BIN)/bikecast run $(ARGS)

test: test-setup ## Run the tests without the slow tier, at most four at a time
	@$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 4 --no-loadscope-reorder $(ARGS)

notebook: ## Install JupyterLab and open the notebook that looks at the data
	@scripts/setup.sh notebook
	@$(BIN)/bikecast notebook explore $(ARGS)

ui: setup ## Serve the Dagster UI on 127.0.0.1:3000
	@$(BIN)/bikecast ui $(ARGS)

setup: ## Create or update .venv from requirements/run.txt (PYTHON=... chooses the interpreter)
	@scripts/setup.sh run

test-setup: ## The same with what tests need: requirements/test.txt, ODBC manager, browser
	@scripts/setup.sh test
	@scripts/system-packages.sh

test-slow: test-setup ## Run the slow tier: kills, fuzzing, long runs
	@$(BIN)/python -m pytest -m slow $(ARGS)

lint: test-setup ## Check style, format and that every import is a declared dependency
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/deptry .

types: test-setup ## Check types
	@$(BIN)/mypy

validate: test-setup ## Load the code location as Dagster does
	@PYTHONWARNINGS='ignore:Function `definitions_validate_command`' \
		$(BIN)/dagster definitions validate -w workspace.yaml --log-level warning
	@echo "The code location loads."

lock: ## Renew all locks (needs uv; ARGS=--upgrade takes newer versions)
	uv pip compile -q $(LOCK) $(EVERYTHING) --extra test -o requirements/test.txt $(ARGS)
	uv pip compile -q $(LOCK) $(EVERYTHING) -c requirements/test.txt -o requirements/deploy.txt
	uv pip compile -q $(LOCK) --extra azure --extra notebook -c requirements/test.txt -o requirements/notebook.txt
	uv pip compile -q $(LOCK) -c requirements/test.txt -o requirements/run.txt

LOCK := pyproject.toml --universal --no-strip-extras --generate-hashes --python-version 3.11 \
	--no-header --no-emit-index-url --no-emit-find-links

EVERYTHING := --extra azure --extra deploy

bench: test-setup ## Measure the pipeline, PREDICT and T-SQL on ROWS rows (10 million), as ratios
	@$(BIN)/python benchmarks/pipeline.py $(ARGS)
	@$(BIN)/python benchmarks/predict.py --rows $(ROWS)
	@$(BIN)/python benchmarks/pool_queries.py --rows $(ROWS)
	@$(BIN)/python benchmarks/scoring.py

bench-scale: ROWS = 4000000
bench-scale: test-setup ## Measure the driver's memory and time on ROWS rows of a CSV (4 million)
	@$(BIN)/python benchmarks/scale.py --rows $(ROWS)

bench-automl: test-setup ## Compare the AutoML with AutoGluon, which gets .cache/autogluon (half an hour)
	@test -x .cache/autogluon/bin/python || $(BIN)/python -m venv .cache/autogluon
	@.cache/autogluon/bin/python -m pip install -q "autogluon.tabular[lightgbm,catboost]>=1.6,<1.7"
	@.cache/autogluon/bin/python benchmarks/automl_autogluon.py .cache/autogluon.json
	@$(BIN)/python benchmarks/automl_quality.py --all --peers .cache/autogluon.json $(ARGS)

screenshots: test-setup ## Renew the pictures of the documents
	@$(BIN)/python -m tests.ui.screenshots
	@$(BIN)/python -m tests.ui.explore_pictures

clean: ## Remove .venv and caches; the state in .bikecast stays
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache dist
	find assets benchmarks bikecast pipelines resources tests -name __pycache__ -prune -exec rm -rf {} +
