# Streamgauge. `make demo` shows it, `make test` proves it.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup check format test test-all fuzz bench bench-quick bench-peers soak chaos demo demo-year model budget budget-full budget-peers

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## install everything into .venv (uv where it is on the PATH, else plain pip)
	@echo "ready; this makes streamgauge a command of your shell:  . .venv/bin/activate"

# Quiet only where it is quick: pip takes up to two minutes, and its own lines say that it is alive. A .venv without pip is what
# python3 leaves behind where the package python3-venv is missing, so that one is made again.
$(READY): pyproject.toml uv.lock
	@if command -v uv >/dev/null 2>&1; then \
		echo "installing into .venv with uv"; \
		uv sync --quiet --frozen --compile-bytecode --extra dev --extra demo; \
	else \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
			{ echo "Python 3.11 or later is needed; name one:  make setup PYTHON=python3.12"; exit 1; }; \
		echo "installing into .venv with pip: up to two minutes (seconds where uv is on the PATH)"; \
		$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || exit 1; \
		$(BIN)/python -m pip install --editable '.[dev,demo]'; \
	fi
	@touch $@

check: $(READY) ## format, lint, types, import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

format: $(READY) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(READY) ## the tests (Apache Kafka where Java and Maven are, else the embedded broker)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-all: $(READY) ## the tests, the slow ones included
	$(BIN)/python -m pytest -n 2 --dist loadfile

model: $(READY) ## the ledger's model test: which broken variants it finds, and how soon
	$(BIN)/python -m tests.model

fuzz: $(READY) ## damaged records through decoder, tap and judge for so long (SECONDS=600); the tests do it for 20 s
	$(BIN)/python -m tests.hostile.fuzz $(or $(SECONDS),600)

bench: $(READY) ## every figure of speed, size and memory beside its target (12 minutes, an idle machine); writes docs/sizing.md
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.page

bench-quick: $(READY) ## the throughput ratio alone, on fewer records (under a minute)
	$(BIN)/python -m benchmarks --quick

budget: $(READY) ## is a stated rate of false alarms kept, and how soon is a change found (resumable); writes benchmarks/detection.md
	$(BIN)/python -m benchmarks.detection

budget-full: $(READY) ## the same with panes of a minute too; they stay on the page of budget
	$(BIN)/python -m benchmarks.detection --full

budget-peers: $(READY) ## river, frouros, alibi-detect, evidently, nannyml, whylogs on the same panes, tuned in hindsight (15 minutes)
	$(BIN)/python -m benchmarks.detection.peers

soak: $(READY) ## 20 real minutes under traffic with faults: memory and descriptors over time
	$(BIN)/python -m benchmarks.soak
	$(BIN)/python -m benchmarks.page

bench-peers: $(READY) ## beside Faust, Bytewax, Quix Streams, Pathway, whylogs and Evidently; writes benchmarks/peers.md
	$(BIN)/python -m benchmarks.peers

chaos: $(READY) ## 20 seeded runs of faults against real workers on Apache Kafka, judged by an oracle (45 minutes; resumable)
	$(BIN)/python -m tests.chaos

demo: $(READY) ## real flights through the monitor, broken in seven ways (SEED=1)
	$(BIN)/python -m stream.cli demo --seed $(or $(SEED),1)

demo-year: $(READY) ## the real year 2013, nothing broken: every alarm beside the weather (5 minutes); writes docs/year.md
	$(BIN)/python -m stream.cli demo --year --write docs/year.md
