# The two commands: `make run` shows the main job working, `make test` tests everything.
# PORT is where `make run` listens; its stand-ins take the four ports after it. SIGNING is how it signs (docs/signing.md).

PORT ?= 4900
SIGNING ?= cloud-cdn
PYTEST_ARGS ?=
CHAOS_ARGS ?=
BIN := .venv/bin
TESTS := $(BIN)/python -m pytest $(PYTEST_ARGS)

.DEFAULT_GOAL := help
.PHONY: help run test test-unit test-contract test-integration test-acceptance lint format typecheck bench bench-scale fuzz chaos soak outage \
	rolling rotation planted build lock clean run-environment environment

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: run-environment ## start everything on loopback and show an upload becoming playable (PORT=4900)
	@$(BIN)/streaming-service dev --port $(PORT) --signing $(SIGNING)

test: environment ## every test; starts by itself what it needs
	$(TESTS) tests

test-unit: environment ## rules and adapters alone, seconds
	$(TESTS) tests/unit

test-contract: environment ## one suite per port over all its implementations; a real OME: OME_CONTRACT_API_URL=…
	$(TESTS) tests/contract

test-integration: environment ## adapters and entry points against the real thing on the wire
	$(TESTS) tests/integration

test-acceptance: environment ## the whole service from outside
	$(TESTS) tests/acceptance

lint: environment ## style, imports, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=src $(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/check_docs.py

format: environment ## put the code into the one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: environment ## pyright, strict
	$(BIN)/pyright

bench: environment ## the figures of docs/figures.md that this machine can print
	$(BIN)/python -m bench

bench-scale: environment ## what each upload, manifest and delivery costs several processes: docs/capacity.md
	$(BIN)/python -m bench.scale

fuzz: environment ## a million forged requests at every signature check, and rotations of its keys
	$(BIN)/python -m bench.fuzz_signing

chaos: environment ## kill the worker at every moment, on sqlite and postgres: CHAOS_ARGS=--quick
	$(BIN)/python -m chaos $(CHAOS_ARGS)

soak: environment ## ten minutes of faults between the service and everything: CHAOS_ARGS=--quick
	$(BIN)/python -m chaos.soak $(CHAOS_ARGS)

outage: environment ## the store gone under load, then a stop under load: CHAOS_ARGS=--quick
	$(BIN)/python -m chaos.outage $(CHAOS_ARGS)

rolling: environment ## exchange every process under load: CHAOS_ARGS="--old CHECKOUT" for another release's
	$(BIN)/python -m chaos.rolling $(CHAOS_ARGS)

rotation: environment ## rotate service token, CDN key and webhook secret under load
	$(BIN)/python -m chaos.rotation

planted: environment ## search everything that leaves the service for planted secrets
	$(BIN)/python -m chaos.planted

build: environment ## wheel and sdist in dist/
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist

lock: environment ## resolve the dependencies again and write locks/
	scripts/lock

clean: ## remove what the other targets made
	rm -rf .venv var dist .pytest_cache .ruff_cache .hypothesis

run-environment:
	@scripts/environment run

environment:
	@scripts/environment dev
