# Each target alone, on a machine with git, make and Python 3.10 or later, sets up .venv and does its work.
PYTHON ?= python3
BIN := .venv/bin

# Material for `make evaluate`; without it the demo's.
FSGAN_MEDIA ?= ../shared/media
MEDIA := $(if $(wildcard $(FSGAN_MEDIA)/video),benchmarks/media.csv --root $(FSGAN_MEDIA))
COMMIT = $(shell git describe --always --dirty 2>/dev/null || echo unknown)

.PHONY: demo test lint bench evaluate clean

demo: .venv/ready
	$(BIN)/fsgan demo --output demo-output --overwrite

test: .venv/ready
	$(BIN)/python -m pytest -q

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/ready
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script; done

# About a quarter of an hour on two cores; what it finds goes into docs/results.md.
evaluate: .venv/ready
	$(BIN)/fsgan evaluate all $(MEDIA) --output evaluation-output --overwrite --frames 24 \
		--variant default --variant geometry --variant classic --note "commit $(COMMIT)"
	cp evaluation-output/results.md docs/results.md

clean:
	rm -rf .venv demo-output evaluation-output

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "found $$($(PYTHON) --version 2>&1), need Python 3.10 or later; name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "$(PYTHON) makes no environments; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
