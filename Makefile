# Every target makes .venv first, from the pinned requirements, and reuses it when nothing changed.
PY := .venv/bin/python
DEMO := runs/demo
SCENES := 2000

.PHONY: help setup demo test test-slow lint clean

help:
	@echo "make demo       scenes -> regions -> pretraining -> retrieval on held-out pictures, end to end"
	@echo "make test       the tests (CPU, no network); make test-slow adds the long ones"
	@echo "make lint       ruff and mypy"
	@echo "make clean      remove what demo and the tools made (runs/), and caches; .venv stays"

setup:
	@sh tools/setup.sh

test: setup
	$(PY) -m pytest

lint: setup
	$(PY) -m ruff check .
	$(PY) -m mypy

clean:
	rm -rf runs .pytest_cache .mypy_cache .ruff_cache
