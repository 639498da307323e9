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

.PHONY: help setup terraform demo demo-clean simulate deploy plan destroy outputs check-wiring \
        image test test-unit test-local test-terraform bench bench-ask bench-decode bench-store fuzz \
        lint format terraform-docs lock clean

##@ Set up
help: ## prints this list
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  \033[1m%-15s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## installs the locked dependencies and the command sesbounce into .venv

$(READY): $(LOCKS)
	@$(PYTHON) scripts/bootstrap.py $(VENV)
	@touch $@

# First of the prerequisites: where it fails, nothing has been installed.
terraform: ## fetches Terraform into .local/bin where none is installed; TERRAFORM=path names another
	@$(PYTHON) -m scripts.terraform.fetch

##@ Try it
demo: terraform $(READY) ## runs the whole path on this machine with LocalStack; needs no AWS account
	@$(BIN)/python -m scripts.local.demo

demo-clean: $(READY) ## stops what the demo started and removes what it made
	@$(BIN)/python -m scripts.local.demo --clean

simulate: $(READY) ## sends mail to the mailbox simulator of SES; ARGS="--help" lists the options
	@$(BIN)/python -m scripts.local.simulate $(ARGS)

##@ Deploy
image: $(READY) ## builds the container image of the worker; ARGS="--help" lists the options
	@$(BIN)/python -m scripts.image.build build $(ARGS)

plan: terraform $(READY) ## shows what deploy would change in AWS; ENV=name chooses a stack of its own
	@$(BIN)/python -m scripts.deploy.deploy plan --env "$(ENV)" $(ARGS)

deploy: terraform $(READY) ## shows the plan, asks, and applies the stack to AWS with the worker; ARGS=--yes for CI
	@$(BIN)/python -m scripts.deploy.deploy apply --env "$(ENV)" $(ARGS)

check-wiring: terraform $(READY) ## checks that feedback reaches the deployed queue and its reader
	@$(BIN)/python -m scripts.deploy.deploy check --env "$(ENV)" $(ARGS)

destroy: terraform $(READY) ## asks, and removes the stack from AWS; ARGS=--yes for CI
	@$(BIN)/python -m scripts.deploy.deploy destroy --env "$(ENV)" $(ARGS)

outputs: terraform $(READY) ## prints the outputs of the deployed stack
	@$(BIN)/python -m scripts.deploy.deploy output --env "$(ENV)" $(ARGS)

##@ Test
test: terraform lint $(READY) ## runs all checks and tests: lint, types, unit, Terraform, LocalStack
	@$(BIN)/pytest tests

test-unit: $(READY) ## runs the tests that need no service
	@$(BIN)/pytest tests/unit

test-local: terraform $(READY) ## runs the tests that need Terraform or LocalStack
	@$(BIN)/pytest tests/terraform tests/integration

test-terraform: terraform $(READY) ## checks and tests the Terraform modules, their policies and their READMEs
	@$(BIN)/pytest tests/terraform

##@ Benchmarks
$(BENCH_READY): $(READY) requirements-bench.txt
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-bench.txt
	@touch $@

$(CONTEST_READY): requirements-build.txt requirements-bench-worker.txt worker/pyproject.toml
	@$(PYTHON) -m venv --clear $(CONTEST)
	@$(CONTEST)/bin/python -m pip install --quiet --require-hashes -r requirements-build.txt
	@$(CONTEST)/bin/python -m pip install --quiet --require-hashes -r requirements-bench-worker.txt
	@$(CONTEST)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable worker
	@touch $@

bench: $(CONTEST_READY) ## measures the worker beside other consumers of SQS, ten minutes; ARGS="--help" lists the options
	@$(CONTEST)/bin/python -m tests.bench.bench_worker $(ARGS)

bench-decode: $(BENCH_READY) ## measures decoding beside pydantic, Powertools and json.loads
	@$(BIN)/python -m tests.bench.bench_decode $(ARGS)

bench-store: $(READY) ## measures recording by batch size, beside a bare insert
	@$(BIN)/python -m tests.bench.bench_store $(ARGS)

bench-ask: $(READY) ## measures the CPU time of commands that only ask, beside the imports that they need
	@$(BIN)/python -m tests.bench.bench_ask $(ARGS)

fuzz: $(BENCH_READY) ## fuzzes the decoder for a minute; ARGS="--seconds 600" for ten
	@$(BIN)/python -m tests.fuzz.fuzz_decode $(ARGS)

##@ Develop
lint: $(READY) ## checks the sources: ruff, mypy --strict, yamllint, shellcheck, hadolint, checkov
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/yamllint --strict -d '{extends: default, rules: {line-length: {max: 100}}}' .pre-commit-config.yaml .github
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms \
	  .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/feature.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(BIN)/shellcheck .ci/run
	@$(BIN)/hadolint --failure-threshold style worker/Dockerfile
	@$(BIN)/python -m scripts.checkov

terraform-docs: $(READY) ## writes the tables in the READMEs of the Terraform modules
	@$(BIN)/python -m scripts.terraform.docs

format: $(READY) ## rewrites the sources in the format of the project
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/python -m scripts.terraform fmt -recursive terraform

lock: ## pins the newest dependencies with their hashes; needs uv
	@compile() { uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-emit-index-url --no-annotate "$$1" $${3:-} -o "$$2"; }; \
	compile worker/pyproject.toml worker/requirements.txt; \
	compile requirements-build.in requirements-build.txt; \
	compile requirements-dev.in requirements-dev.txt; \
	compile requirements-bench.in requirements-bench.txt; \
	compile worker/pyproject.toml requirements-bench-worker.txt requirements-bench-worker.in; \
	compile scripts/local/localstack-requirements.in scripts/local/localstack-requirements.txt; \
	compile scripts/checkov-requirements.in scripts/checkov-requirements.txt

clean: ## removes all that make made: .venv, .local and the caches
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m scripts.local.demo --clean; fi
	@rm -rf $(VENV) .local .mypy_cache .pytest_cache .ruff_cache .hypothesis
