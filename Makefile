# The two commands: make run, make test. Everything else is listed by make help.
# Settings go by the environment or by .env, for example: make run PORT=8002 CV_DATA_DIR=/srv/cv

.DEFAULT_GOAL := help
.PHONY: help run servers stop clean test test-fast test-servers test-image test-faults soak soak-cameras stream-memory bomb-zoo \
  check hooks audit sbom format bench evaluate openapi weights model-tools lock lint-api sdk sdk-python sdk-typescript \
  console environment environment-dev

ARGS ?=

SERVING := requirements.txt requirements-embedded.txt
DEVELOPMENT := $(SERVING) requirements-dev.txt
IN_VENV := .venv/bin/python

# Each takes file after file, and starts servers of its own for the first one that needs them. In the order of their names:
# the integration tests first. Otherwise files of few tests came last, one of eight minutes among them, with one worker idle.
WORKERS ?= 2
PARALLEL := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

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

run: environment ## servers, migrations, API on 127.0.0.1:8001 (PORT, HOST, CV_DATA_DIR change it; HTTPS=1 for tablets); Ctrl-C stops all
	@exec $(IN_VENV) scripts/run_local.py

servers: environment ## only the embedded servers; data/run/backends.env points at them
	@exec $(IN_VENV) scripts/run_local.py --servers-only

.PHONY: demo
demo: environment ## fill a running service with people, finds, rooms, papers and alarms, and walk through all that it can
	@exec $(IN_VENV) -m scripts.demo

stop: ## end what make run or make servers started over CV_DATA_DIR; nothing is lost
	@if [ -x $(IN_VENV) ]; then exec $(IN_VENV) scripts/stop_local.py; else echo 'nothing was ever started here'; fi

clean: stop ## stop, then remove environments, fetched weights and caches, which are made again; data and logs stay
	@rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis app/ml_models/weights
	@find . -name __pycache__ -type d -not -path './data/*' -prune -exec rm -rf {} +
	@echo "cleaned; your data are in $(or $(CV_DATA_DIR),data), which only you remove"

test: environment-dev weights ## all tests, on servers of their own; ARGS="-k face" chooses, WORKERS=0 runs one by one
	@exec $(IN_VENV) -m pytest -rs $(PARALLEL) $(ARGS)

# Schemathesis' plugin, which no unit test uses, takes a second of each worker to import.
test-fast: environment-dev weights ## unit tests that need no server and train nothing: less than a minute
	@exec $(IN_VENV) -m pytest -p no:schemathesis -m 'not slow' $(PARALLEL) tests/unit $(ARGS)

test-servers: environment-dev weights ## the tests for which it counts, with Milvus standalone and Redis instead of the embedded ones
	@command -v redis-server >/dev/null || { echo 'redis-server is needed; on Debian: apt install redis-server' >&2; exit 1; }
	@$(IN_VENV) scripts/bootstrap.py --venv .venv-servers requirements-servers.txt
	@CV_TEST_MILVUS_PYTHON=.venv-servers/bin/python CV_TEST_REDIS_SERVER="$$(command -v redis-server)" \
	  $(IN_VENV) -m pytest -rs -m 'not any_server' $(PARALLEL) tests/integration $(ARGS)

test-image: environment-dev ## build the image by the Dockerfile's commands and try it, as root, without an engine; VARIANT=gpu; CV_TEST_IMAGE=NAME tries an engine's
	@VARIANT=$(or $(VARIANT),cpu) exec $(IN_VENV) -m pytest -rs tests/image $(ARGS)

.PHONY: test-python
test-python: environment-dev weights ## the quick unit tests on the Python of another Debian, as root: RELEASE=bookworm has 3.11.2, trixie 3.13
	@exec $(IN_VENV) -m tests.image.pythons $(or $(RELEASE),trixie)

test-faults: environment-dev weights ## break every backend under load; needs RabbitMQ; REPORT=docs/reliability.md writes the table
	@CV_FAULTS_REPORT=$(REPORT) exec $(IN_VENV) -m pytest -rs -s tests/faults $(ARGS)

soak: environment-dev weights ## load for SECONDS=1800, and the slope of every process's memory; LOAD=passing leaves no data; REPORT=FILE as above
	@exec $(IN_VENV) -m tests.faults.soak $(or $(SECONDS),1800) $(or $(LOAD),mixed) $(REPORT)

soak-cameras: environment-dev weights ## sixteen cameras that come and go for SECONDS=3600: who is back when, and the memory
	@exec $(IN_VENV) -m tests.faults.soak_cameras $(or $(SECONDS),3600)

stream-memory: environment-dev ## the memory that a camera's return leaves, by its kind; RETURNS=240; REPORT=FILE as above
	@exec $(IN_VENV) -m tests.stream_memory $(or $(RETURNS),240) $(REPORT)

bomb-zoo: environment-dev ## the memory that each hostile file takes; REPORT=FILE as above
	@exec $(IN_VENV) -m tests.bomb_zoo $(REPORT)

check: environment-dev ## format, lint, types
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m mypy

lint-api: scripts/lint_api/node_modules ## Spectral and Redocly over docs/openapi.json and docs/asyncapi.json; needs Node.js 20 and npm
	@cd scripts/lint_api && npm run --silent lint

scripts/lint_api/node_modules: scripts/lint_api/package-lock.json
	@cd scripts/lint_api && npm ci --silent && touch node_modules

audit: ## known vulnerabilities of the pinned packages; ARGS=--where-possible: no failure without the advisories
	$(call bootstrap,--venv .venv-audit requirements-audit.txt)
	@.venv-audit/bin/python scripts/audit_dependencies.py $(ARGS)

sbom: environment-dev ## bill of materials (CycloneDX) in data/sbom.cdx.json; ARGS="--requirements requirements-gpu.txt --pack full"
	@exec $(IN_VENV) scripts/sbom.py $(ARGS)

lock: ## after a change of dependencies in pyproject.toml: requirements.lock and the requirements files; ARGS=--upgrade
	$(call bootstrap,--venv .venv-lock requirements-lock.txt)
	@.venv-lock/bin/python scripts/lock.py $(ARGS)

.PHONY: docs docs-environment
docs: docs-environment ## the documentation as a site in site/, in English and Vietnamese; a link that leads nowhere fails
	@.venv-docs/bin/python scripts/build_docs.py

docs-environment:
	$(call bootstrap,--venv .venv-docs requirements-docs.txt)

.PHONY: wheels
wheels: ## whether every locked package has a wheel for Python 3.11 to 3.14, on x86-64 and ARM64
	$(call bootstrap,--venv .venv-lock requirements-lock.txt)
	@.venv-lock/bin/python scripts/wheels.py

hooks: environment-dev ## let git run the checks before each commit
	@exec $(IN_VENV) -m pre_commit install

format: environment-dev ## format and sort imports
	$(IN_VENV) -m ruff format .
	$(IN_VENV) -m ruff check --fix .

bench: environment-dev weights ## measure speed; ARGS go to scripts/benchmark.py
	@exec $(IN_VENV) scripts/benchmark.py $(ARGS)

evaluate: environment-dev weights ## measure accuracy on the photos in CV_EVAL_DATA; ARGS go to scripts/evaluate.py
	@exec $(IN_VENV) scripts/evaluate.py $(ARGS)

openapi: environment ## write openapi.json, asyncapi.json, settings.md and errors.md in docs, after the API, an event or a setting changed
	@$(IN_VENV) scripts/export_errors.py
	@$(IN_VENV) scripts/export_openapi.py
	@$(IN_VENV) scripts/export_asyncapi.py
	@$(IN_VENV) scripts/export_settings.py

sdk: sdk-python sdk-typescript ## clients made of docs/openapi.json, in dist/: wheel, Postman collection, and npm tarball, for which Node.js 20 is needed

sdk-python:
	$(call bootstrap,--venv .venv-sdk requirements-sdk.txt)
	@.venv-sdk/bin/python sdk/python/generate.py
	@.venv-sdk/bin/python sdk/postman/generate.py
	@.venv-sdk/bin/python -m build --wheel --no-isolation --outdir dist sdk/python >/dev/null

sdk-typescript: sdk/typescript/node_modules
	@mkdir -p dist
	@cd sdk/typescript && npm run --silent build && npm pack --silent --pack-destination ../../dist

console: console/node_modules sdk/typescript/node_modules ## build the page at /console into app/console; needs Node.js 20 and npm
	@cd sdk/typescript && node generate.mjs
	@cd console && npm run --silent build -- $(CONSOLE)

console/node_modules: console/package-lock.json
	@cd console && npm ci --silent --ignore-scripts && touch node_modules

sdk/typescript/node_modules: sdk/typescript/package-lock.json
	@cd sdk/typescript && npm ci --silent && touch node_modules

weights: environment ## fetch and verify the model pack; nothing to do when it is there
	@$(IN_VENV) scripts/download_models.py --pack $(or $(MODEL_PACK),compact)

model-tools: environment ## PyTorch for converting models, and for the tests of it; TORCH_INDEX=URL has builds for CPUs
	@$(IN_VENV) scripts/download_models.py --tools-only $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))

environment:
	$(call bootstrap,$(SERVING))

environment-dev:
	$(call bootstrap,$(DEVELOPMENT))
