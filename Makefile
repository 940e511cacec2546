# One target per task. Everything is built into target/ and .venv/; nothing else is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUST := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)

.PHONY: help build demo test test-rust test-python soak extension lint format bench-dedup bench-compression clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

build: $(VENV)/.built ## build the Python package into .venv

demo: $(VENV)/.built ## deduplicate the source files of the crates that the build has downloaded
	$(BIN)/python examples/demo.py

test: test-rust test-python ## run every test

test-rust: $(VENV)/.tools ## run the tests of the crates, their examples and their documentation
	cargo test --release --locked --workspace --quiet

# An extension module of another project, with the versions of this one; the tests of Python use it.
extension: $(VENV)/.tools
	cp Cargo.lock tests_rs/extension/Cargo.lock
	PYO3_PYTHON=$(CURDIR)/$(BIN)/python cargo build --release --quiet --target-dir target \
		--manifest-path tests_rs/extension/Cargo.toml

test-python: $(VENV)/.built extension ## run the tests of the Python package
	$(BIN)/python -m pytest --quiet

soak: $(VENV)/.tools ## run the long tests whole: gigabytes through stores, every order of requests, 500 kills
	cargo test --release --locked --package mithril-tests -- --ignored --nocapture --test-threads=1

lint: $(VENV)/.built ## check format, lints and types
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps --quiet
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/stubtest mithril._native --mypy-config-file pyproject.toml

format: $(VENV)/.tools ## format all code
	cargo fmt --all
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench-dedup: $(VENV)/.built ## time the whole command on the changelogs and documentation of this machine
	$(BIN)/python benchmarks/bench_dedup.py

bench-compression: ## time the compressors on text, JSON, tensors, zeros, random and compressed data
	cargo bench --locked --package mithril-core --bench compression

clean: ## remove what was built
	rm -rf target $(VENV) demo-output mithril/_native.*.so

# The tools of pyproject.toml's group "dev", with those versions.
$(VENV)/.tools: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip==26.3
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

$(VENV)/.built: $(VENV)/.tools $(RUST)
	@echo "building the Python package (minutes the first time)"
	@PIP_QUIET=1 VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release --quiet
	touch $@
