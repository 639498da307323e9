# sesbounce: `make` lists the targets.
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
ENV    ?=
VENV   := .venv
BIN    := $(VENV)/bin
# Everything this Makefile downloads stays inside the checkout.
export PIP_CACHE_DIR ?= $(CURDIR)/.local/pip-cache
export PIP_DISABLE_PIP_VERSION_CHECK := 1
READY  := $(VENV)/.ready
BENCH_READY := $(VENV)/.bench-ready
# An environment of its own: aiobotocore decides on the version of botocore.
CONTEST       := .local/bench
CONTEST_READY := $(CONTEST)/.ready
LOCKS  := requirements-build.txt requirements-dev.txt worker/pyproject.toml

# The tests wait for servers more than they work: more processes than cores.
TEST_PROCESSES ?= 6
# The Pythons that README names.
PYTHONS := 3.11 3.12 3.13

.PHONY: help setup demo demo-clean simulate deploy plan destroy outputs check-wiring \
        image test test-all test-unit test-versions test-local test-terraform bench bench-decode bench-store fuzz \
        lint format terraform-docs lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | \
	  awk -F ':.*## ' '{ printf "  \033[1m%-15s\033[0m %s\n", $$1, $$2 }'

setup: $(READY) ## make .venv with the locked dependencies and .venv/bin/sesbounce

$(READY): $(LOCKS)
	@$(PYTHON) scripts/bootstrap.py $(VENV)
	@touch $@

demo: $(READY) ## the main job on this machine: LocalStack, Terraform, SQLite; no AWS account
	@$(BIN)/python -m scripts.local.demo

demo-clean: $(READY) ## stop what the demo started and remove what it made
	@$(BIN)/python -m scripts.local.demo --clean

simulate: $(READY) ## send mail to the SES mailbox simulator; ARGS="--help" tells more
	@$(BIN)/python -m scripts.local.simulate $(ARGS)

image: $(READY) ## build the worker's container image; ARGS="--help" tells more
	@$(BIN)/python -m scripts.image.build build $(ARGS)

plan: $(READY) ## show what deploy would change in AWS; ENV=name for a stack of its own
	@$(BIN)/python -m scripts.deploy.deploy plan --env "$(ENV)" $(ARGS)

deploy: $(READY) ## apply the stack to AWS, worker and all (shows the plan and asks; ARGS=--yes for CI)
	@$(BIN)/python -m scripts.deploy.deploy apply --env "$(ENV)" $(ARGS)

check-wiring: $(READY) ## look whether feedback reaches the deployed queue and its reader
	@$(BIN)/python -m scripts.deploy.deploy check --env "$(ENV)" $(ARGS)

destroy: $(READY) ## remove the stack from AWS (asks; ARGS=--yes for CI)
	@$(BIN)/python -m scripts.deploy.deploy destroy --env "$(ENV)" $(ARGS)

outputs: $(READY) ## print the deployed stack's outputs
	@$(BIN)/python -m scripts.deploy.deploy output --env "$(ENV)" $(ARGS)

# The output of each is shown when it has ended, but that of the longest, test-all, all along.
test: $(READY) ## everything: lint, types, unit, Terraform, LocalStack, other Pythons; ARGS="-k address"
	@$(MAKE) --no-print-directory --jobs=3 --keep-going --output-sync=target test-all lint test-versions

test-all: $(READY) ## all tests, without lint and the other Pythons
	+@$(BIN)/python -m pytest tests -n $(TEST_PROCESSES) $(ARGS)

test-unit: $(READY) ## the tests that need no service, on all cores (less than a minute)
	@echo "tests/unit with $$($(BIN)/python --version): they need neither a service nor the network"
	@$(BIN)/python -m pytest tests/unit -q -n auto $(ARGS)

test-versions: $(PYTHONS:%=test-python-%) ## test-unit on the other Pythons of README that are here

# On PATH or of pyenv.
interpreter = $(or $(shell python$1 -c 'import sys; print(sys.executable)' 2>/dev/null),\
  $(lastword $(sort $(wildcard $(HOME)/.pyenv/versions/$1.*/bin/python))))

test-python-%: $(READY)
	@if $(BIN)/python --version | grep -q ' $*\.'; then \
	  echo "Python $*: $(VENV) has it, see test-unit"; \
	elif [ -z "$(call interpreter,$*)" ]; then \
	  echo "Python $*: not on this machine, NOT TESTED"; \
	else \
	  $(MAKE) --no-print-directory test-unit VENV=.local/python-$* PYTHON=$(call interpreter,$*) ARGS=; \
	fi

test-local: $(READY) ## the tests against LocalStack and Terraform
	@$(BIN)/python -m pytest tests/terraform tests/integration -n $(TEST_PROCESSES) $(ARGS)

test-terraform: $(READY) ## terraform fmt, validate and test, the policies and the module READMEs
	@$(BIN)/python -m pytest tests/terraform $(ARGS)

$(BENCH_READY): $(READY) requirements-bench.txt
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-bench.txt
	@touch $@

$(CONTEST_READY): requirements-build.txt requirements-bench-worker.txt worker/pyproject.toml
	@$(PYTHON) -m venv --clear $(CONTEST)
	@$(CONTEST)/bin/python -m pip install --quiet --require-hashes -r requirements-build.txt
	@$(CONTEST)/bin/python -m pip install --quiet --require-hashes -r requirements-bench-worker.txt
	@$(CONTEST)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable worker
	@touch $@

bench: $(CONTEST_READY) ## the worker beside other consumers of SQS, ten minutes; ARGS="--help" tells more
	@$(CONTEST)/bin/python -m tests.bench.bench_worker $(ARGS)

bench-decode: $(BENCH_READY) ## decoding speed beside pydantic, Powertools and json.loads
	@$(BIN)/python -m tests.bench.bench_decode $(ARGS)

bench-store: $(READY) ## recording speed by batch size, beside a bare insert
	@$(BIN)/python -m tests.bench.bench_store $(ARGS)

fuzz: $(BENCH_READY) ## fuzz the decoder for a minute; ARGS="--seconds 600"
	@$(BIN)/python -m tests.fuzz.fuzz_decode $(ARGS)

lint: $(READY) ## ruff, mypy --strict, yamllint, shellcheck, hadolint, checkov
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/yamllint --strict -d '{extends: default, rules: {line-length: {max: 100}}}' .pre-commit-config.yaml
	@$(BIN)/shellcheck .ci/run
	@$(BIN)/hadolint --failure-threshold style worker/Dockerfile
	@$(BIN)/python -m scripts.checkov

terraform-docs: $(READY) ## write the tables in the modules' READMEs anew
	@$(BIN)/python -m scripts.terraform.docs

format: $(READY) ## rewrite the sources in the project's format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@if command -v terraform >/dev/null; then terraform fmt -recursive terraform; fi

lock: ## pin the dependencies anew, with hashes (needs uv)
	@compile() { uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-emit-index-url --no-annotate "$$1" $${3:-} -o "$$2"; }; \
	compile worker/pyproject.toml worker/requirements.txt; \
	compile requirements-build.in requirements-build.txt; \
	compile requirements-dev.in requirements-dev.txt; \
	compile requirements-bench.in requirements-bench.txt; \
	compile worker/pyproject.toml requirements-bench-worker.txt requirements-bench-worker.in; \
	compile scripts/local/localstack-requirements.in scripts/local/localstack-requirements.txt; \
	compile scripts/checkov-requirements.in scripts/checkov-requirements.txt

clean: ## remove everything make made: .venv, LocalStack, caches
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m scripts.local.demo --clean; fi
	@rm -rf $(VENV) .local .mypy_cache .pytest_cache .ruff_cache .hypothesis
