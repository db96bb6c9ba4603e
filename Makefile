# `make synth` and `make test` do all the set-up they need; `make` lists the rest.

PYTHON ?= python3
APP ?= main.py
CLI_VERSION := 0.21.0

VENV := .venv
BIN := $(VENV)/bin

# Write bytecode only for modules that are imported, not for thousands that are not; ignore other virtual environments.
export PIP_COMPILE := 0
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIPENV_VENV_IN_PROJECT := 1
export PIPENV_IGNORE_VIRTUALENVS := 1
export PIPENV_VERBOSITY := -1
export PIPENV_NOSPIN := 1
PIPENV_VERSION := 2026.10.3

# Recreate a virtual environment whose Python no longer exists.
ifneq ($(wildcard $(VENV)/.pipenv),)
  ifneq ($(shell $(BIN)/python -c 'print(1)' 2>/dev/null),1)
    $(shell rm -f $(VENV)/.pipenv)
  endif
endif

# The schemas of GitHub's files, which the package brings along.
SCHEMA := $(BIN)/check-jsonschema --quiet --builtin-schema vendor

# Runs what installs packages, quietly. $(1) is the folder of the log, $(2) the command.
define install
@$(2) >$(1)/install.log 2>&1 || { \
echo "The packages could not be installed. Is PyPI, or the mirror in pip's settings, reachable? See $(1)/install.log"; exit 1; }
endef

.DELETE_ON_ERROR:
.PHONY: help synth plan impact apply doctor capacity upgrade-plan prove recommended test check format golden docs bench lock test-rules test-terraform test-cli test-slow test-terrain test-scan test-manifests test-all destroy clean rig

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

synth: $(VENV)/.packages ## Write the Terraform JSON of main.py, or of another app: make synth APP=examples/fleet.py
	@$(BIN)/python -m stacks $(APP) $(ARGS)

plan: $(VENV)/.packages ## Plan a stack, save the plan, and say what it does to running jobs: make plan STACK=karpenter [ARGS="-refresh=false"]
	@$(BIN)/python -m stacks.operations.deploy plan "$(STACK)" $(ARGS)

impact: $(VENV)/.packages ## Say what an apply would do to running jobs: make impact STACK=karpenter [ARGS="--format markdown --fail-on replaces"]
	@$(BIN)/python -m stacks.operations.deploy impact "$(STACK)" $(ARGS)

apply: $(VENV)/.pipenv ## Apply the saved plan of a stack: make apply STACK=karpenter
	@$(BIN)/python -m stacks.operations.deploy apply "$(STACK)" $(ARGS)

doctor: $(VENV)/.pipenv ## Examine a living cluster, and say what to do: make doctor STACK=karpenter [ARGS="--format markdown"]
	@$(BIN)/python -m stacks.operations.doctor doctor "$(STACK)" $(ARGS)

capacity: $(VENV)/.pipenv ## Say what EC2 can give the pools of a living cluster: make capacity STACK=karpenter
	@$(BIN)/python -m stacks.operations.doctor capacity "$(STACK)" $(ARGS)

upgrade-plan: $(VENV)/.packages ## Say which steps of an upgrade remain for a deployed cluster: make upgrade-plan STACK=karpenter [ARGS="--format markdown"]
	@$(BIN)/python -m stacks.upgrade_plan "$(STACK)" $(ARGS)

prove: $(VENV)/.packages ## Build a cluster, measure it, and remove it: make prove APP=examples/proof.py STACK=proof [ARGS="--keep"]
	@$(BIN)/python -m stacks.operations.prove "$(APP)" "$(STACK)" $(ARGS)

recommended: $(VENV)/.packages ## Print the values that recommended(...) sets
	@$(BIN)/python -m stacks.config
	@echo "Next: in main.py, write recommended(...) instead of ClusterConfig(...), for a new cluster"

test: $(VENV)/.dev-packages ## Run the fast tests
	@$(BIN)/pytest -n 2 --dist worksteal

check: $(VENV)/.dev-packages ## Check formatting, lint, types, layers and workflows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@echo "Checking types, which takes a minute the first time"
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(SCHEMA).github-workflows .github/workflows/*.yml examples/*.yml
	@$(SCHEMA).dependabot .github/dependabot.yml
	@$(SCHEMA).github-issue-forms .github/ISSUE_TEMPLATE/*.yml
	@echo "All checks passed. Next: make test"

format: $(VENV)/.dev-packages ## Format, and fix what the linter can fix
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

golden: $(VENV)/.dev-packages ## Write the golden file from the code
	@$(BIN)/python -m tests.golden
	@echo "Wrote tests/golden. Next: read git diff, then make docs and make test"

docs: $(VENV)/.dev-packages ## Write the tables of docs/ from the code
	@$(BIN)/python -m docs.generate

test-rules: ## Run terraform validate on the golden files and terraform test on the default's; needs Terraform 1.7, and no AWS account
	@rm -rf cdktf.out/rules/tests
	@mkdir -p cdktf.out/rules/tests
	@echo "Initializing Terraform with the real modules and providers"
	@for file in tests/golden/*.tf.json; do \
	echo "Validating $$file"; \
	cp "$$file" cdktf.out/rules/cdk.tf.json; \
	terraform -chdir=cdktf.out/rules init -backend=false -input=false >/dev/null && terraform -chdir=cdktf.out/rules validate || exit; done
	@cp tests/golden/cdk.tf.json cdktf.out/rules
	@$(PYTHON) -m tests.cases cdktf.out/rules/tests
	@terraform -chdir=cdktf.out/rules init -input=false >/dev/null
	@terraform -chdir=cdktf.out/rules test

test-terraform: rig $(VENV)/.dev-packages ## Run the tests that plan and apply, with stub providers
	@$(BIN)/pytest -n 2 --dist worksteal -m terraform

test-cli: rig $(VENV)/.dev-packages node_modules/.cdktf-cli ## Run the tests of the cdktf CLI, with stub providers
	@$(BIN)/pytest -m cli

# Tests that apply must not reach a cloud, so they run only with stub providers, which set RIG.
rig:
	@case "$(RIG)" in modules | interfaces) ;; *) \
	echo "These tests apply configurations, so they need stub providers: the variable RIG must be \"modules\" or \"interfaces\" (got \"$(RIG)\")."; \
	exit 1 ;; esac
	@command -v terraform >/dev/null || { echo "These tests need Terraform, and there is no terraform on the PATH."; exit 1; }

bench: $(VENV)/.dev-packages ## Measure synthesis, in about six minutes: make bench [WRITE=docs/speed.md]
	@PYTHONPATH=. $(BIN)/python docs/bench.py $(if $(WRITE),--write "$(WRITE)")

test-slow: $(VENV)/.dev-packages ## Run the tests that take longer: the loader, every option by itself, whole programs
	@$(BIN)/pytest -n 2 --dist worksteal -m slow

test-terrain: $(VENV)/.dev-packages .venv-terrain/.packages ## Run the program on CDK Terrain, the fork of CDKTF
	@$(BIN)/pytest -m terrain

test-scan: $(VENV)/.dev-packages .venv-scan/.packages ## Scan what is synthesized with checkov
	@$(BIN)/pytest -m scan -rP

test-manifests: $(VENV)/.dev-packages .venv-manifests/.packages ## Check the examples' manifests against the schemas of Kubernetes
	@$(BIN)/pytest -m manifests

test-all: rig test test-slow test-terrain test-scan test-manifests test-terraform test-cli ## Run all tests

lock: $(VENV)/.pipenv ## Resolve the Pipfile again
	@$(BIN)/pipenv lock
	@$(BIN)/python -c 'import json, pathlib; p = pathlib.Path("Pipfile.lock"); d = json.loads(p.read_text()); \
	d["_meta"]["sources"] = []; [e.pop("index", None) for k, s in d.items() if k != "_meta" for e in s.values()]; \
	p.write_text(json.dumps(d, indent=4) + "\n")'
	@echo "Wrote Pipfile.lock. Next: make test"

destroy: $(VENV)/.pipenv ## Remove a deployed cluster, its nodes first: make destroy STACK=karpenter [ARGS="--timeout 30"]
	@$(BIN)/python -m stacks.operations.destroy "$(STACK)" $(ARGS)

clean: ## Remove .venv, cdktf.out and the caches; stop where cdktf.out holds a state
	@$(PYTHON) -m stacks.operations.clean

$(VENV)/.pipenv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV), which takes half a minute"
	@$(PYTHON) -m venv --clear $(VENV)
	$(call install,$(VENV),$(BIN)/pip install --no-compile pipenv==$(PIPENV_VERSION))
	@touch $@

$(VENV)/.packages: $(VENV)/.pipenv Pipfile.lock
	$(call install,$(VENV),$(BIN)/pipenv sync --categories=packages)
	@touch $@

$(VENV)/.dev-packages: $(VENV)/.packages
	@echo "Setting up what the tests need, which takes a quarter of a minute"
	$(call install,$(VENV),$(BIN)/pipenv sync --categories=dev-packages)
	@touch $@

.venv-%/.packages: tests/requirements-%.txt
	@echo "Setting up .venv-$*"
	@$(PYTHON) -m venv .venv-$*
	$(call install,.venv-$*,.venv-$*/bin/pip install -r $<)
	@touch $@

node_modules/.cdktf-cli:
	@echo "Installing the cdktf CLI $(CLI_VERSION)"
	@npm install --silent --no-save --no-package-lock cdktf-cli@$(CLI_VERSION)
	@touch $@
