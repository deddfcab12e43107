# The two commands of the README, and the measurements of docs/results.md.
PORT ?= 8000
N ?= 60
PY = .venv/bin/python

.PHONY: run test lint format bench hostile faults results

run: ## the portal on this machine
	@PORT=$(PORT) scripts/run

test: ## every check
	@scripts/test

lint: ## the checks without the tests
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/djlint --quiet --lint templates && .venv/bin/lint-imports && .venv/bin/mypy .

format:
	.venv/bin/ruff check --fix . ; .venv/bin/ruff format .

bench: ## rates of the bare model and of the whole portal, in one run
	@scripts/install test && $(PY) -m bench.speed

hostile: ## post every file of DIR through the API: make hostile DIR=folder
	@test -n "$(DIR)" || { echo "usage: make hostile DIR=folder"; exit 2; }
	@scripts/install test && $(PY) -m bench.hostile "$(DIR)"

faults: ## kill everything during N analyses
	@scripts/install test && $(PY) -m bench.faults --n $(N)

results: ## docs/results.md from the card and the measurements
	@scripts/results
