PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= checks.yaml
SIDE_BY_SIDE ?= -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo run test check bench dashboards prove-dashboards screenshots lock format clean

help: ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/.run: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

demo: $(VENV)/.run ## Play the main job on a simulated estate over real sockets
	$(BIN)/monitor demo

run: $(VENV)/.run ## Monitor what $(CONFIG) names
	$(BIN)/monitor run --config $(CONFIG)

test: $(VENV)/.dev ## Run every test
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

check: $(VENV)/.dev ## Format, lint, types, import contracts and tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

bench: $(VENV)/.dev ## Run the benchmarks
	$(BIN)/python -m bench

dashboards: $(VENV)/.dev ## Write the dashboards and what else is made from metrics and rules anew
	$(BIN)/python -m grafana

prove-dashboards: $(VENV)/.dev ## Ask the real Prometheus what every panel asks, through a real outage
	$(BIN)/python -m grafana.prove

screenshots: $(VENV)/.dev ## Draw docs/pictures: the pages through an outage (needs Chromium)
	$(BIN)/python docs/draw_pages.py

format: $(VENV)/.dev ## Rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.dev ## Resolve the dependencies afresh
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra build --extra dev pyproject.toml -o requirements-dev.lock

clean: ## Remove what the other targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
