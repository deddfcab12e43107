# The two commands of the README, those of CONTRIBUTING.md, and the measurements of docs/results.md.
PORT ?= 8000
N ?= 60
PY = .venv/bin/python

.PHONY: help run test dev t lint format messages migrations bench hostile compare-dicom faults results

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: ## the portal on this machine
	@PORT=$(PORT) scripts/run

test: ## every check
	@scripts/test

dev: ## the portal, started again whenever a file changes: make dev PORT=8001
	@PORT=$(PORT) scripts/dev

t: ## some tests in seconds: make t T=analyses/record ARGS=--lf
	@scripts/install dev && scripts/t $(T) $(ARGS)

lint: ## the checks without the tests
	@scripts/install dev && scripts/lint

format: ## what ruff mends by itself
	.venv/bin/ruff check --fix . ; .venv/bin/ruff format .

messages: ## the German catalogues from the marked texts
	@scripts/install dev && scripts/messages

migrations: ## write the migrations that the models ask for: make migrations NAME=what_changes
	@scripts/install dev && scripts/migrations $(NAME)

bench: ## rates of the bare model and of the whole portal, in one run
	@scripts/install test && $(PY) -m bench.speed

hostile: ## decode and post every file of DIR, with memory and time: make hostile DIR=folder
	@test -n "$(DIR)" || { echo "usage: make hostile DIR=folder"; exit 2; }
	@scripts/install test && $(PY) -m bench.hostile "$(DIR)"

compare-dicom: ## pictures of DICOM files against dcmtk's: make compare-dicom DIR="folder folder"
	@test -n "$(DIR)" || { echo 'usage: make compare-dicom DIR="folder folder"'; exit 2; }
	@scripts/install test && { $(PY) -m bench.compare_dicom $(DIR) || [ $$? = 77 ]; }

faults: ## kill everything during N analyses
	@scripts/install test && $(PY) -m bench.faults --n $(N)

results: ## docs/results.md from the card and the measurements
	@scripts/results
