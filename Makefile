# Every target sets up .venv by itself when it is missing or older than the lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA := .data
SOURCES := service tests scripts
RUFF_RULES := E,F,W,I,UP,B,SIM,RUF
LINE_LENGTH := 110
# As many processes as there are cores, up to four; tests/conftest.py says which tests go together.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# What is held against drawn examples; each of these finds more the longer it goes on.
PROPERTIES := $(wildcard tests/unit/engines/test_*properties.py tests/integration/contract/test_*model.py) \
	$(addprefix tests/unit/,engines/test_projection.py engines/test_answer_bounds.py engines/test_result_size.py \
	domains/test_canonical.py domains/test_money.py domains/test_proposal_documents.py flows/test_replays.py \
	web/test_bodies.py web/test_openapi.py web/test_parameters.py)

# What the tests import is compiled once and kept, not once in each of the hundreds of processes they start.
test test-fast test-faults fuzz: export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-pack run test test-fast test-faults fuzz check format compare-backends bench openapi docs migrate freeze lock wheel image fresh

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/installed ## Create .venv with the locked packages

$(VENV)/installed: requirements-dev.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

# An environment of its own, because the generator and the job queue cannot be installed together.
$(VENV)-client/installed: requirements-client.txt
	$(PYTHON) -m venv --clear $(VENV)-client
	$(VENV)-client/bin/python -m pip install --quiet --require-hashes -r requirements-client.txt
	@touch $@

demo: setup ## Run one sample rebalance on SQLite and show it
	@$(BIN)/python -m scripts.demo

demo-pack: setup ## Play the demo scenarios on a server of their own, or on URL=...
	@$(BIN)/python -m scripts.demo_pack $(URL)

run: setup ## Serve on SQLite under .data, port 8000
	DPM_SUPPORTABILITY_STORE_BACKEND=SQL DPM_SUPPORTABILITY_SQL_PATH=$(DATA)/lotus-manage.db \
		PROPOSAL_STORE_BACKEND=SQL PROPOSAL_SQL_PATH=$(DATA)/lotus-manage.db \
		$(BIN)/python -m service serve

test: setup $(VENV)-client/installed ## Run every test; fault tests in their small form
	$(BIN)/python -m pytest $(PARALLEL) --hypothesis-profile full

test-fast: setup ## Run the unit tests that take no time
	$(BIN)/python -m pytest -q $(PARALLEL) -m "not slow and not faults" tests/unit

test-faults: setup ## Run the fault tests in full, and the properties on many examples
	$(BIN)/python -m pytest -m faults --faults full
	$(BIN)/python -m pytest $(PROPERTIES) --hypothesis-profile deep

fuzz: setup ## Send a server 20,000 requests made from its own description
	$(BIN)/python -m scripts.fuzz

check: setup ## Format, lint, types, import contracts, SQL
	$(BIN)/ruff format --check --line-length $(LINE_LENGTH) $(SOURCES)
	$(BIN)/ruff check --select $(RUFF_RULES) --line-length $(LINE_LENGTH) $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.lint_sql

format: setup ## Rewrite the sources in the house format
	$(BIN)/ruff format --line-length $(LINE_LENGTH) $(SOURCES)
	$(BIN)/ruff check --select $(RUFF_RULES) --line-length $(LINE_LENGTH) --fix $(SOURCES)

compare-backends: setup ## Ask SQLite and PostgreSQL the same 1,000 times and print where they differ
	$(BIN)/python -m scripts.compare_backends --generate 1000

# ONLY names one part of it; --only would be an option of make itself.
bench: setup ## Measure the figures of docs/performance.md, or one part of them: ONLY=crowd
	$(BIN)/python -m scripts.bench $(if $(ONLY),--only $(ONLY))

openapi: setup ## Write the description of the API and its examples anew
	$(BIN)/python -m scripts.openapi

docs: setup ## Write the generated parts of docs/ anew
	@$(BIN)/python -m scripts.docs

migrate: setup ## Bring the database of `make run` up to date
	$(BIN)/python -m service migrate apply --sqlite-path $(DATA)/lotus-manage.db

freeze: ## Write down the digests of the migrations, once they are final
	cd migrations && sha256sum */*.sql > RELEASED.sha256

lock: ## Resolve the dependencies anew and write the lock files
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet uv==0.13.8
	$(VENV)-lock/bin/uv pip compile setup.cfg --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet -o requirements.txt
	$(VENV)-lock/bin/uv pip compile setup.cfg --extra dev --constraint requirements.txt --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements-dev.txt
	$(VENV)-lock/bin/uv pip compile setup.cfg --extra otel --constraint requirements-dev.txt --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements-otel.txt
	printf 'setuptools>=77\n' | $(VENV)-lock/bin/uv pip compile - --constraint requirements-dev.txt --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements-build.txt
	$(VENV)-lock/bin/uv pip compile requirements-client.in --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet -o requirements-client.txt

wheel: setup ## Build the wheel into dist/
	@$(BIN)/python -m scripts.build_wheel dist

image: ## Build the container image
	docker build --tag lotus-manage --build-arg REVISION=$$(git rev-parse --short HEAD) .

fresh: ## Prove a fresh clone: both commands, and the wheel elsewhere; PYTHON=... chooses the interpreter
	PYTHON=$(PYTHON) scripts/fresh.sh
