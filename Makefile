# sesbounce: `make` lists the targets.
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
ENV    ?=
VENV   := .venv
BIN    := $(VENV)/bin
# Made with uv, which is installed first, each once for each set of versions (scripts/setup).
SETUP  := $(PYTHON) -m scripts.setup
UV     := $(PYTHON) -m scripts.setup.uv
READY  := $(VENV)/.ready
BENCH_READY := $(VENV)/.bench-ready
# What runs side by side prints in turn, where make knows how to (4.0).
OUTPUT_SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
LOCKS  := requirements-build.txt requirements-dev.txt worker/pyproject.toml

.PHONY: help setup environments demo demo-clean simulate deploy plan destroy outputs check-wiring \
        image test test-unit test-local test-terraform bench bench-decode bench-store fuzz \
        lint lint-ruff lint-mypy lint-checkov lint-rest format terraform-docs lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | \
	  awk -F ':.*## ' '{ printf "  \033[1m%-15s\033[0m %s\n", $$1, $$2 }'

setup: $(READY) ## make .venv with the locked dependencies and .venv/bin/sesbounce

$(READY): $(LOCKS)
	@$(SETUP) dev=$(VENV)
	@touch $@

environments: ## make .venv and those of LocalStack and checkov, side by side
	@$(SETUP) dev=$(VENV) localstack checkov

demo: ## the main job on this machine: LocalStack, Terraform, SQLite; no AWS account
	@$(SETUP) dev=$(VENV) localstack
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

test: lint $(READY) ## everything: lint, types, unit, Terraform, LocalStack
	@$(BIN)/pytest tests

test-unit: $(READY) ## the tests that need no service (seconds)
	@$(BIN)/pytest tests/unit

test-local: $(READY) ## the tests against LocalStack and Terraform
	@$(BIN)/pytest tests/terraform tests/integration

test-terraform: $(READY) ## terraform fmt, validate and test, the policies and the module READMEs
	@$(BIN)/pytest tests/terraform

$(BENCH_READY): $(READY) requirements-bench.txt
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-bench.txt
	@touch $@

bench: ## the worker beside other consumers of SQS, ten minutes; ARGS="--help" tells more
	@$(SETUP) bench
	@.local/bench/bin/python -m tests.bench.bench_worker $(ARGS)

bench-decode: $(BENCH_READY) ## decoding speed beside pydantic, Powertools and json.loads
	@$(BIN)/python -m tests.bench.bench_decode $(ARGS)

bench-store: $(READY) ## recording speed by batch size, beside a bare insert
	@$(BIN)/python -m tests.bench.bench_store $(ARGS)

fuzz: $(BENCH_READY) ## fuzz the decoder for a minute; ARGS="--seconds 600"
	@$(BIN)/python -m tests.fuzz.fuzz_decode $(ARGS)

lint: $(READY) ## ruff, mypy --strict, yamllint, shellcheck, hadolint, checkov
	@$(MAKE) --no-print-directory --keep-going $(if $(filter -j%,$(MAKEFLAGS)),,--jobs) $(OUTPUT_SYNC) \
	    lint-ruff lint-mypy lint-checkov lint-rest

lint-ruff: $(READY) ## ruff: the rules and the format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

lint-mypy: $(READY) ## mypy --strict
	@$(BIN)/mypy

lint-checkov: $(READY) ## checkov over the Terraform sources
	@$(BIN)/python -m scripts.checkov

lint-rest: $(READY) ## yamllint, shellcheck and hadolint
	@$(BIN)/yamllint --strict -d '{extends: default, rules: {line-length: {max: 100}}}' .pre-commit-config.yaml
	@$(BIN)/shellcheck .ci/run
	@$(BIN)/hadolint --failure-threshold style worker/Dockerfile

terraform-docs: $(READY) ## write the tables in the modules' READMEs anew
	@$(BIN)/python -m scripts.terraform.docs

format: $(READY) ## rewrite the sources in the project's format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@if command -v terraform >/dev/null; then terraform fmt -recursive terraform; fi

# The index alone: a package that lies elsewhere too may lack files there, and so hashes.
lock: ## pin the dependencies anew, with hashes
	@compile() { UV_INDEX= UV_FIND_LINKS= $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-emit-index-url --no-annotate "$$1" $${3:-} -o "$$2"; }; \
	compile worker/pyproject.toml worker/requirements.txt; \
	compile scripts/setup/uv-requirements.in scripts/setup/uv-requirements.txt; \
	compile requirements-build.in requirements-build.txt; \
	compile requirements-dev.in requirements-dev.txt; \
	compile requirements-bench.in requirements-bench.txt; \
	compile worker/pyproject.toml requirements-bench-worker.txt requirements-bench-worker.in; \
	compile scripts/local/localstack-requirements.in scripts/local/localstack-requirements.txt; \
	compile scripts/checkov-requirements.in scripts/checkov-requirements.txt

clean: ## remove everything make made: .venv, LocalStack, caches
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m scripts.local.demo --clean; fi
	@rm -rf $(VENV) .local .mypy_cache .pytest_cache .ruff_cache .hypothesis
