# sesbounce: `make` lists the targets.
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
DIST   ?= dist
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
# The tests start hundreds of Python processes: none compiles what another one has compiled.
unexport PYTHONDONTWRITEBYTECODE
LOCKS  := requirements-build.txt requirements-dev.txt worker/pyproject.toml

# The tests wait for servers more than they work: more processes than cores.
TEST_PROCESSES ?= 6
# Few unit tests wait: one process more than cores.
UNIT_PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# The Pythons that README names.
PYTHONS := 3.11 3.12 3.13

.PHONY: help setup terraform environments demo console demo-clean simulate deploy plan destroy restart cli outputs check-wiring \
        image package build test test-all test-unit test-newest test-versions test-local test-terraform bench bench-ask bench-console bench-decode bench-outage bench-profile bench-store fuzz \
        lint lint-ruff lint-mypy lint-imports lint-checkov lint-rest format docs docs-serve docs-write screenshots terraform-docs lock terraform-lock clean

##@ Set up
help: ## prints this list
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  \033[1m%-15s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## installs the locked dependencies and the command sesbounce into .venv

$(READY): $(LOCKS)
	@$(SETUP) dev=$(VENV)
	@touch $@

# First of the prerequisites: where it fails, nothing has been installed.
terraform: ## fetches Terraform into .local/bin where none is installed; TERRAFORM=path names another
	@$(PYTHON) -m scripts.terraform.fetch

environments: ## installs .venv and the environments of LocalStack, checkov and the site side by side
	@$(SETUP) dev=$(VENV) localstack checkov docs

##@ Try it
demo: terraform ## runs the whole path on this machine with LocalStack; needs no AWS account
	@$(SETUP) dev=$(VENV) localstack
	@$(BIN)/python -m scripts.local.demo

console: $(READY) ## opens the console on made-up data of ninety days; ARGS=--fresh makes the data once more
	@$(BIN)/python -m scripts.local.console $(ARGS)

demo-clean: $(READY) ## stops what the demo started and removes what it made
	@$(BIN)/python -m scripts.local.demo --clean

simulate: $(READY) ## sends mail to the mailbox simulator of SES; ARGS="--help" lists the options
	@$(BIN)/python -m scripts.local.simulate $(ARGS)

##@ Deploy
image: $(READY) ## builds the container image of the worker; ARGS="--help" lists the options
	@$(BIN)/python -m scripts.image.build build $(ARGS)

package: $(READY) ## builds the zip file of the worker for AWS Lambda; ARGS="--help" lists the options
	@$(BIN)/python -m scripts.package.build $(ARGS)

# The wheel comes from the source distribution, which thus holds all that a build needs.
build: ## builds the Python package, wheel and source distribution, into dist; DIST=folder names another
	@rm -f $(DIST)/sesbounce-*.whl $(DIST)/sesbounce-*.tar.gz
	@$(UV) build --quiet --python $(PYTHON) --no-create-gitignore --out-dir $(DIST) \
	    --build-constraints requirements-build.txt --require-hashes worker
	@ls $(DIST)/sesbounce-*

plan: terraform $(READY) ## shows what deploy would change in AWS; ENV=name chooses a stack of its own
	@$(BIN)/python -m scripts.deploy.deploy plan --env "$(ENV)" $(ARGS)

deploy: terraform $(READY) ## shows the plan, asks, and applies the stack to AWS with the worker; ARGS=--yes for CI
	@$(BIN)/python -m scripts.deploy.deploy apply --env "$(ENV)" $(ARGS)

check-wiring: terraform $(READY) ## checks that feedback reaches the deployed queue and its reader
	@$(BIN)/python -m scripts.deploy.deploy check --env "$(ENV)" $(ARGS)

restart: terraform $(READY) ## starts new tasks, a run of the schedule, or new environments of the function, and waits
	@$(BIN)/python -m scripts.deploy.deploy restart --env "$(ENV)" $(ARGS)

cli: terraform $(READY) ## runs a command in a task beside the worker: ARGS='why jane@example.com'
	@$(BIN)/python -m scripts.deploy.deploy cli --env "$(ENV)" -- $(ARGS)

destroy: terraform $(READY) ## asks, and removes the stack from AWS; ARGS="--yes --allow-loss all" for CI
	@$(BIN)/python -m scripts.deploy.deploy destroy --env "$(ENV)" $(ARGS)

outputs: terraform $(READY) ## prints the outputs of the deployed stack
	@$(BIN)/python -m scripts.deploy.deploy output --env "$(ENV)" $(ARGS)

##@ Test
# Terraform alone first, then the environments: what runs side by side finds both there. All tests
# take the longest: the others use the time in which these wait.
test: terraform ## runs all checks and tests side by side: lint, all tests, the newest Python too; ARGS="-k address"
	@$(MAKE) --no-print-directory environments
	@$(MAKE) --no-print-directory --jobs=3 --keep-going GIVE_WAY="nice -n 5" test-all lint test-newest

test-all: terraform $(READY) ## runs all tests, without lint and other Pythons; ARGS goes to pytest
	@$(BIN)/python -m pytest tests -n $(TEST_PROCESSES) $(ARGS)

test-unit: $(READY) ## runs the tests that need no service, on all cores
	@echo "tests/unit with $$($(BIN)/python --version): they need neither a service nor the network"
	@$(BIN)/python -m pytest tests/unit -q -n $(UNIT_PROCESSES) $(ARGS)

# Between the oldest and the newest Python hardly anything differs: `make test` leaves those out.
test-newest: test-python-$(lastword $(PYTHONS)) ## runs test-unit on the newest Python of README

# One after another: side by side they would only compete.
test-versions: ## runs test-unit on the other Pythons of README that are installed
	@for version in $(PYTHONS); do \
	  $(MAKE) --no-print-directory test-python-$$version || failed=1; \
	done; exit $${failed:-0}

# On PATH or of pyenv.
interpreter = $(or $(shell python$1 -c 'import sys; print(sys.executable)' 2>/dev/null),\
  $(lastword $(sort $(wildcard $(HOME)/.pyenv/versions/$1.*/bin/python))))

test-python-%: $(READY)
	@if $(BIN)/python --version | grep -q ' $*\.'; then \
	  echo "Python $*: $(VENV) has it, see test-unit"; \
	elif [ -z "$(call interpreter,$*)" ]; then \
	  echo "Python $*: not on this machine, NOT TESTED"; \
	else \
	  $(GIVE_WAY) $(MAKE) --no-print-directory $(OUTPUT_SYNC) test-unit VENV=.local/python-$* PYTHON=$(call interpreter,$*) ARGS=; \
	fi

test-local: terraform $(READY) ## runs the tests that need Terraform or LocalStack
	@$(BIN)/python -m pytest tests/terraform tests/integration -n $(TEST_PROCESSES) $(ARGS)

test-terraform: terraform $(READY) ## checks and tests the Terraform modules, their policies and their READMEs
	@$(BIN)/python -m pytest tests/terraform $(ARGS)

##@ Benchmarks
$(BENCH_READY): $(READY) requirements-bench.txt
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-bench.txt
	@touch $@

bench: ## measures the worker beside other consumers of SQS, ten minutes; ARGS="--help" lists the options
	@$(SETUP) bench
	@.local/bench/bin/python -m tests.bench.bench_worker $(ARGS)

bench-decode: $(BENCH_READY) ## measures decoding beside pydantic, Powertools and json.loads
	@$(BIN)/python -m tests.bench.bench_decode $(ARGS)

bench-store: $(READY) ## measures recording by batch size, beside a bare insert
	@$(BIN)/python -m tests.bench.bench_store $(ARGS)

bench-profile: $(READY) ## measures the CPU time of each stage of the worker; ARGS=--worker that of its threads
	@$(BIN)/python -m tests.bench.bench_profile $(ARGS)

bench-ask: $(READY) ## measures questions: a process, a warm engine, files, beside a bare SELECT, and the HTTP API; ARGS="--part start" for one part
	@$(BIN)/python -m tests.bench.bench_ask $(ARGS)

bench-console: $(READY) ## measures the pages of the console with two million addresses and ten million events; ARGS="--help" lists the options
	@$(BIN)/python -m tests.bench.bench_console $(ARGS)

bench-outage: $(READY) ## simulates the outage of a provider, in several orders on three databases, some minutes
	@$(BIN)/python -m tests.bench.bench_outage $(ARGS)

fuzz: $(BENCH_READY) ## fuzzes the decoder for a minute; ARGS="--seconds 600" for ten
	@$(BIN)/python -m tests.fuzz.fuzz_decode $(ARGS)

##@ Develop
lint: $(READY) ## checks the sources with all linters side by side
	@$(GIVE_WAY) $(MAKE) --no-print-directory --keep-going $(if $(filter -j%,$(MAKEFLAGS)),,--jobs) $(OUTPUT_SYNC) \
	    lint-ruff lint-mypy lint-imports lint-checkov lint-rest

lint-ruff: $(READY) ## checks the rules and the format of the Python sources with ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

lint-mypy: $(READY) ## checks the types with mypy --strict
	@$(BIN)/mypy

lint-imports: $(READY) ## checks that the packages import downward only, with import-linter
	@$(BIN)/lint-imports --no-cache

lint-checkov: $(READY) ## checks the Terraform sources with checkov
	@$(BIN)/python -m scripts.checkov

lint-rest: $(READY) ## checks YAML, GitHub's files, shell scripts and the Dockerfile
	@$(BIN)/yamllint --strict -d '{extends: default, rules: {line-length: {max: 100}}}' .pre-commit-config.yaml .github
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms \
	  .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/feature.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(BIN)/shellcheck .ci/run
	@$(BIN)/hadolint --failure-threshold style worker/Dockerfile

docs: ## builds the site of the documents into .local/docs/site; a broken link is an error
	@$(PYTHON) -m scripts.website

docs-serve: ## builds the site, and shows it at http://localhost:8000; make docs beside it renews it
	@$(PYTHON) -m scripts.website --serve

docs-write: $(READY) ## writes docs/commands.md and docs/settings.md from the code
	@$(BIN)/python -m scripts.docs

screenshots: $(READY) ## takes the pictures of docs/console.md from the data of make console; needs Chromium
	@$(BIN)/python -m scripts.local.screenshots

terraform-docs: $(READY) ## writes the tables in the READMEs of the Terraform modules and examples
	@$(BIN)/python -m scripts.terraform.docs

format: $(READY) ## rewrites the sources in the format of the project
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/python -m scripts.terraform fmt -recursive terraform

# The extras of the package that the worker needs, and those that the image holds.
WORKER_EXTRAS := --extra worker --extra postgresql --extra mysql
IMAGE_EXTRAS  := $(WORKER_EXTRAS) --extra server

# The index alone: a package that lies elsewhere too may lack files there, and so hashes.
lock: ## pins the newest dependencies with their hashes
	@compile() { UV_INDEX= UV_FIND_LINKS= $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-emit-index-url --no-annotate "$$1" $${3:-} -o "$$2"; }; \
	compile worker/pyproject.toml worker/requirements.txt "$(IMAGE_EXTRAS)"; \
	compile scripts/setup/uv-requirements.in scripts/setup/uv-requirements.txt; \
	compile requirements-build.in requirements-build.txt; \
	compile requirements-dev.in requirements-dev.txt; \
	compile requirements-bench.in requirements-bench.txt; \
	compile worker/pyproject.toml requirements-bench-worker.txt "requirements-bench-worker.in $(WORKER_EXTRAS)"; \
	compile requirements-docs.in requirements-docs.txt; \
	compile scripts/local/localstack-requirements.in scripts/local/localstack-requirements.txt; \
	compile scripts/checkov-requirements.in scripts/checkov-requirements.txt

# From the public registry: a mirror tells the checksums of its own platforms only.
terraform-lock: terraform ## locks the newest provider that terraform/versions.tf allows, for all platforms
	@export SESBOUNCE_TERRAFORM_MIRROR= TF_DATA_DIR=$(CURDIR)/.local/terraform-lock; \
	$(PYTHON) -m scripts.terraform -chdir=terraform init -backend=false -upgrade && \
	$(PYTHON) -m scripts.terraform -chdir=terraform providers lock \
	    -platform=linux_amd64 -platform=linux_arm64 -platform=darwin_amd64 -platform=darwin_arm64

clean: ## removes all that make made: .venv, .local, dist and the caches
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m scripts.local.demo --clean; fi
	@rm -rf $(VENV) .local dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
