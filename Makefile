# Everything runs in a virtual environment of its own, made on first use. Needs Python 3.11+ with venv, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CANDIDATE ?=
STRATEGY ?= canary

T ?= tests
COVERAGE ?=

.PHONY: help house reference demo test test-cluster cluster-binaries test-mesh mesh-binaries lint types pictures check bench-stats bench-policies bench-comparisons bench-controller bench-cluster bench-abort bench-dashboard bench-start bench-contracts bench clean

help:  ## show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.demo  ## a guided tour with real agents; or one release: CANDIDATE=good|worse|slow|erroring|incompatible STRATEGY=canary|blueGreen
	@$(BIN)/rollout demo --strategy $(STRATEGY) $(if $(CANDIDATE),--candidate $(CANDIDATE)) \
	  || { code=$$?; [ $$code -eq 3 ] && [ "$(CANDIDATE)" != good ]; }

test: $(VENV)/.dev  ## run all tests, in parallel; one subject: make test T=tests/unit/test_routes.py; COVERAGE=1 measures
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --ignore tests/cluster --ignore tests/mesh \
	  $(if $(COVERAGE),--cov --cov-report term) $(T)

fuzz: $(VENV)/.dev  ## odd documents, pages, answers, contracts and databases, for as long as FUZZ_EXAMPLES says (2000 each)
	FUZZ_EXAMPLES=$(or $(FUZZ_EXAMPLES),2000) $(BIN)/python -m pytest -n auto tests/fuzz

cluster-binaries:  ## build kube-apiserver and its companions from Go modules, once (needs go; some minutes)
	@tests/cluster/binaries/build.sh

test-cluster: $(VENV)/.dev  ## run what needs a real API server; see cluster-binaries
	$(BIN)/python -m pytest -n 2 --dist loadfile $(if $(filter tests,$(T)),tests/cluster tests/integration/test_conformance.py,$(T))

mesh-binaries:  ## build istiod from Go modules, once (needs go; some minutes)
	@tests/mesh/binaries/build.sh

test-mesh: $(VENV)/.dev  ## run releases through istiod and a gateway's Envoy, in a network of their own; needs both binaries
	unshare --user --map-root-user --net sh -c \
	  'ip link set lo up && ip address add 198.18.0.1/24 dev lo && exec $(BIN)/python -m pytest --basetemp .pytest_cache/mesh tests/mesh'

lint: $(VENV)/.dev  ## style and the walls between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev  ## strict types
	$(BIN)/mypy

reference: $(VENV)/.dev  ## write the fields of docs/reference.md and the JSON Schema, from the model
	$(BIN)/python -m tests.reference

house: $(VENV)/.dev  ## draw the house from its imports, into docs/architecture.md
	$(BIN)/python -m tests.house

pictures: $(VENV)/.dev  ## take the pictures of README, in docs/pictures; needs Chromium
	$(BIN)/python -m tests.pictures

check: lint types test  ## all of it, as CI runs it

bench-stats: $(VENV)/.dev  ## false rollback, detection and promotion of the tests, from fixed seeds (about 15 minutes)
	$(BIN)/python benchmarks/bench_stats.py

bench-policies: $(VENV)/.dev  ## how long the policies we hand out take, and what they find
	$(BIN)/python benchmarks/bench_policies.py

bench-comparisons: $(VENV)/.dev  ## intervals, means and response rates: how often they miss, and what they find
	$(BIN)/python benchmarks/bench_comparisons.py

bench-controller: $(VENV)/.dev  ## what many rollouts cost a controller: calls, memory, time a look
	$(BIN)/python benchmarks/bench_controller.py

bench-cluster: $(VENV)/.dev  ## the same on a real API server and a real Prometheus; see cluster-binaries
	$(BIN)/python benchmarks/bench_cluster.py

bench-abort: $(VENV)/.dev  ## how long an abort, or a rollback by evidence, takes with many rollouts under way beside it
	$(BIN)/python benchmarks/bench_abort.py

bench-dashboard: $(VENV)/.dev  ## what an open dashboard costs, by how many rollouts there are
	$(BIN)/python benchmarks/bench_dashboard.py

bench-start: $(VENV)/.demo  ## what it costs to start a command, as a ratio to starting Python
	$(BIN)/python benchmarks/bench_start.py

bench-contracts: $(VENV)/.dev  ## how long schemas take to be compared, also hostile ones
	$(BIN)/python benchmarks/bench_contracts.py

bench: $(VENV)/.dev  ## how long a look and a plan take
	$(BIN)/python benchmarks/bench_plan.py

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "this needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[demo]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[demo]" --group test --group lint --group bench
	@touch $@ $(VENV)/.demo
