# The two commands: make run, make test. Everything else is listed by make help.
# Settings go by the environment or by .env, for example: make run PORT=8002 CV_DATA_DIR=/srv/cv

.DEFAULT_GOAL := help
.PHONY: help run servers test test-fast test-servers test-image test-faults soak bomb-zoo \
  check hooks audit sbom format bench evaluate openapi weights model-tools lock \
  environment environment-dev

ARGS ?=

SERVING := requirements.txt requirements-embedded.txt
DEVELOPMENT := $(SERVING) requirements-dev.txt
IN_VENV := .venv/bin/python

# Each takes file after file, and starts servers of its own for the first one that needs them.
WORKERS ?= 2
PARALLEL := -n $(WORKERS) --dist loadfile

# The first Python on this machine that is new enough runs the bootstrap; PYTHON=... names another.
define bootstrap
@for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
    exec $$candidate scripts/bootstrap.py $(1); \
  fi; \
done; \
echo 'Python 3.11 or newer is needed. Name one: make $@ PYTHON=/path/to/python3' >&2; exit 1
endef

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

run: environment ## servers, migrations, API on 127.0.0.1:8001 (PORT, HOST, CV_DATA_DIR change it); Ctrl-C stops all
	@exec $(IN_VENV) scripts/run_local.py

servers: environment ## only the embedded servers; data/run/backends.env points at them
	@exec $(IN_VENV) scripts/run_local.py --servers-only

test: environment-dev weights ## all tests, on servers of their own; ARGS="-k face" chooses, WORKERS=0 runs one by one
	@exec $(IN_VENV) -m pytest -rs $(PARALLEL) $(ARGS)

test-fast: environment-dev weights ## unit tests that need no server and train nothing: less than a minute
	@exec $(IN_VENV) -m pytest -m 'not slow' $(PARALLEL) tests/unit $(ARGS)

test-servers: environment-dev weights ## the tests for which it counts, with Milvus standalone and Redis instead of the embedded ones
	@command -v redis-server >/dev/null || { echo 'redis-server is needed; on Debian: apt install redis-server' >&2; exit 1; }
	@$(IN_VENV) scripts/bootstrap.py --venv .venv-servers requirements-servers.txt
	@CV_TEST_MILVUS_PYTHON=.venv-servers/bin/python CV_TEST_REDIS_SERVER="$$(command -v redis-server)" \
	  $(IN_VENV) -m pytest -rs -m 'not any_server' tests/integration $(ARGS)

test-image: environment-dev ## build the image by the Dockerfile's commands and try it, as root, without an engine; VARIANT=gpu
	@VARIANT=$(or $(VARIANT),cpu) exec $(IN_VENV) -m pytest -rs tests/image $(ARGS)

test-faults: environment-dev weights ## break every backend under load; needs RabbitMQ; REPORT=docs/reliability.md writes the table
	@CV_FAULTS_REPORT=$(REPORT) exec $(IN_VENV) -m pytest -rs -s tests/faults $(ARGS)

soak: environment-dev weights ## load for SECONDS=1800, and the slope of every process's memory; REPORT=FILE as above
	@exec $(IN_VENV) -m tests.faults.soak $(or $(SECONDS),1800) $(REPORT)

bomb-zoo: environment-dev ## the memory that each hostile file takes; REPORT=FILE as above
	@exec $(IN_VENV) -m tests.bomb_zoo $(REPORT)

check: environment-dev ## format, lint, types
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m mypy

audit: ## known vulnerabilities of the pinned packages; ARGS=--where-possible: no failure without the advisories
	$(call bootstrap,--venv .venv-audit requirements-audit.txt)
	@.venv-audit/bin/python scripts/audit_dependencies.py $(ARGS)

sbom: environment-dev ## bill of materials (CycloneDX) in data/sbom.cdx.json; ARGS="--requirements requirements-gpu.txt --pack full"
	@exec $(IN_VENV) scripts/sbom.py $(ARGS)

lock: ## after a change of dependencies in pyproject.toml: requirements.lock and the requirements files; ARGS=--upgrade
	$(call bootstrap,--venv .venv-lock requirements-lock.txt)
	@.venv-lock/bin/python scripts/lock.py $(ARGS)

hooks: environment-dev ## let git run the checks before each commit
	@exec $(IN_VENV) -m pre_commit install

format: environment-dev ## format and sort imports
	$(IN_VENV) -m ruff format .
	$(IN_VENV) -m ruff check --fix .

bench: environment-dev weights ## measure speed; ARGS go to scripts/benchmark.py
	@exec $(IN_VENV) scripts/benchmark.py $(ARGS)

evaluate: environment-dev weights ## measure accuracy on the photos in CV_EVAL_DATA; ARGS go to scripts/evaluate.py
	@exec $(IN_VENV) scripts/evaluate.py $(ARGS)

openapi: environment ## write docs/openapi.json and docs/asyncapi.json, after the API or an event has changed
	@$(IN_VENV) scripts/export_openapi.py
	@$(IN_VENV) scripts/export_asyncapi.py

weights: environment ## fetch and verify the model pack; nothing to do when it is there
	@$(IN_VENV) scripts/download_models.py --pack $(or $(MODEL_PACK),compact)

model-tools: environment ## PyTorch for converting models, and for the tests of it; TORCH_INDEX=URL has builds for CPUs
	@$(IN_VENV) scripts/download_models.py --tools-only $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))

environment:
	$(call bootstrap,$(SERVING))

environment-dev:
	$(call bootstrap,$(DEVELOPMENT))
