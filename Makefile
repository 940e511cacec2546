# One target per task. Everything is built into target/ and .venv/; nothing else is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUST := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)

# What a registry would hand out of mithril-core.
PACKAGE := target/package/mithril-core
API := rust/mithril-core/public-api.txt
# Packages that are no members of the workspace, so that they see what others would.
OUTSIDE := $(wildcard tests_rs/*/src/main.rs) tests_rs/extension/src/lib.rs

# The public API as rustdoc's JSON, and the tool that reads it.
api_json = $(as_maturin) RUSTDOC=$(CURDIR)/tests_rs/api/rustdoc.sh cargo rustdoc --release --locked --quiet \
	-p mithril-core --lib --all-features -- -Z unstable-options --output-format json
api_tool = cargo run --release --locked --quiet --manifest-path tests_rs/api/Cargo.toml \
	--target-dir target -- target/doc/mithril_core.json $(API)

# For programs that have Python within: where its library is, and the packages of .venv. Nothing for a
# Python that was built without a shared library, which no program can have within.
embedded_python = $(shell $(BIN)/python -c 'from sysconfig import get_config_var as var, get_path; \
	var("Py_ENABLE_SHARED") and print("LD_LIBRARY_PATH=%s PYTHONPATH=%s" % (var("LIBDIR"), get_path("purelib")))')

# What maturin compiles the extension module with. Cargo has to be told the same, or else it compiles what
# is built on pyo3 anew, and maturin does so after it. Nothing while there is no file of maturin's.
pyo3_config = $(lastword $(wildcard $(CURDIR)/target/maturin/pyo3-config-*.txt))
as_maturin = $(if $(pyo3_config),PYO3_BUILD_EXTENSION_MODULE=1 PYO3_CONFIG_FILE=$(pyo3_config) \
	PYO3_PYTHON=$(CURDIR)/$(BIN)/python PYO3_ENVIRONMENT_SIGNATURE=$(shell $(BIN)/python -c 'import sys; \
	print("%s-%d.%d-%dbit" % (sys.implementation.name, *sys.version_info[:2], 64 if sys.maxsize > 2**32 else 32))'))

.PHONY: help build demo docs notebooks test test-rust test-package test-python test-notebooks test-cluster \
	test-arm test-torch test-wheel bench-import package fuzz soak extension lint api deny format bench bench-bucket bench-cluster \
	bench-codecs bench-compression bench-crowd bench-dedup bench-index bench-minhash bench-pipelines bench-scale bench-storage clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

build: $(VENV)/.built ## build the Python package into .venv

demo: $(VENV)/.built ## deduplicate the source files of the crates that the build has downloaded
	$(BIN)/python examples/demo.py

docs: $(VENV)/.built $(VENV)/.docs ## make the documentation site in target/docs; a warning is an error
	$(BIN)/sphinx-build --quiet --nitpicky --fail-on-warning --fresh-env --builder html -c docs . target/docs
	rm -rf target/doc target/docs/rust
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps --quiet -p mithril-core -p mithril-dedup
	mv target/doc target/docs/rust

notebooks: $(VENV)/.built $(VENV)/.docs ## run the notebooks and write their outputs into them
	$(BIN)/python notebooks/execute.py --write

test: test-rust test-package test-python test-notebooks docs ## run every test, and make the site

test-rust: $(VENV)/.tools ## run the tests of the crates, their examples and their documentation
	$(if $(embedded_python),PYO3_PYTHON=$(CURDIR)/$(BIN)/python $(embedded_python) \
		cargo test --release --locked --workspace --quiet,\
		@echo "the examples of mithril_core::python are not run: this Python has no shared library"; \
		cargo test --release --locked --quiet)

# An extension module of another project, with the versions of this one; the tests of Python use it.
extension: $(VENV)/.built
	cp Cargo.lock tests_rs/extension/Cargo.lock
	$(as_maturin) cargo build --release --quiet --target-dir target \
		--manifest-path tests_rs/extension/Cargo.toml

# The versions and the profile of the workspace, so that what it has built is not built again. The
# product's build takes the place of cargo's own verification, which builds every dependency in the
# profile dev, a C library of minutes among them; `make package` has that.
test-package: ## pack mithril-core, and run a product that depends on the package
	rm -rf $(PACKAGE) target/package/mithril-core-*.crate
	cargo package --locked --quiet --no-verify --allow-dirty -p mithril-core
	mkdir -p $(PACKAGE)
	tar -xzf target/package/mithril-core-*.crate --strip-components=1 -C $(PACKAGE)
	cp Cargo.lock tests_rs/consumer/Cargo.lock
	cargo run --release --quiet --manifest-path tests_rs/consumer/Cargo.toml --target-dir target

package: ## pack the crates for a release, with cargo's verification (minutes)
	cargo package --locked -p mithril-core -p mithril-dedup

fuzz: ## feed damaged inputs to every parser for MITHRIL_FUZZ_SECONDS, 600 if not set
	MITHRIL_FUZZ_SECONDS=$${MITHRIL_FUZZ_SECONDS:-600} \
		cargo test --release --locked --workspace --quiet --test fuzz

# What a registry would hand out of the Python package. The source archive has fewer members of the workspace than
# Cargo.lock, so that it cannot be --locked; it is compiled in the same target folder.
test-wheel: $(VENV)/.built ## build the wheel and the source archive, and try both in empty environments
	rm -rf target/wheels
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin build --release --quiet --sdist --out target/wheels
	CARGO_TARGET_DIR=$(CURDIR)/target $(BIN)/python tests_wheel/check.py target/wheels

bench-import: $(VENV)/.built ## time import mithril
	$(BIN)/python benchmarks/bench_import.py

test-python: $(VENV)/.built $(VENV)/.examples extension ## run the tests of the Python package, and the examples of the documentation
	HF_HOME=$(CURDIR)/target/huggingface $(BIN)/python -m pytest --quiet

test-notebooks: $(VENV)/.built $(VENV)/.docs ## run every notebook from its top to its end
	$(BIN)/python notebooks/execute.py

soak: $(VENV)/.built $(VENV)/.tools ## run the long tests whole: gigabytes through stores, every order of requests, 700 kills
	cargo test --release --locked --workspace --tests -- --ignored --nocapture --test-threads=1
	MITHRIL_KILLS=30 $(BIN)/python -m pytest -q tests_py/test_resume.py -k random

lint: $(VENV)/.built ## check format, lints and types
	cargo fmt --all --check
	rustfmt --check --edition 2024 $(OUTSIDE)
	$(as_maturin) cargo clippy --release --locked --workspace --all-targets --quiet -- -D warnings
	$(as_maturin) RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps --quiet
	$(api_json)
	$(api_tool)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/stubtest mithril._native --mypy-config-file pyproject.toml --allowlist tests_py/stubtest_allowlist.txt

api: ## accept the public API of mithril-core as it is now
	$(api_json)
	$(api_tool) --bless

deny: ## check licences, versions and sources of dependencies with cargo-deny
	@cargo deny --version >/dev/null 2>&1 || { echo "cargo install --locked cargo-deny"; exit 1; }
	cargo deny check licenses bans sources

format: $(VENV)/.tools ## format all code
	cargo fmt --all
	rustfmt --edition 2024 $(OUTSIDE)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench-dedup: $(VENV)/.built ## time the whole command on the changelogs and documentation of this machine
	$(BIN)/python benchmarks/bench_dedup.py

bench-crowd: $(VENV)/.built ## time rows of which half share one paragraph
	$(BIN)/python benchmarks/bench_crowd.py

bench-compression: ## time the compressors on text, JSON, tensors, zeros, random and compressed data
	cargo bench --locked --package mithril-core --bench compression

bench: bench-codecs bench-storage ## time hashing, compression and stores beside other packages

bench-codecs: $(VENV)/.built $(VENV)/.bench ## time hashing and compression beside other packages (ARGUMENTS=--quick tries it)
	$(BIN)/python benchmarks/bench_codecs.py $(ARGUMENTS)

bench-cluster: $(VENV)/.built $(VENV)-cluster/.tools ## measure what deduplication on Ray costs a document, in processor time and bytes
	PYTHONPATH=$(CURDIR) $(VENV)-cluster/bin/python benchmarks/bench_cluster.py $(ARGUMENTS)

bench-index: ## time an index of a million documents: adding, asking, saving, opening
	cargo bench --locked --package mithril-dedup --bench index

bench-minhash: $(VENV)/.built $(VENV)/.bench ## time MinHash and deduplication beside other packages (ARGUMENTS=--quick tries it)
	$(BIN)/python benchmarks/bench_minhash.py $(ARGUMENTS)

bench-pipelines: $(VENV)/.built $(VENV)/.bench $(VENV)-datatrove/.tools ## time whole commands on a million rows beside datatrove and gaoya (a quarter of an hour)
	$(BIN)/python benchmarks/bench_pipelines.py --datatrove $(VENV)-datatrove/bin/python $(ARGUMENTS)

bench-bucket: $(VENV)/.built ## time the whole command from bucket to bucket
	$(BIN)/python benchmarks/bench_bucket.py $(ARGUMENTS)

bench-scale: $(VENV)/.built ## time a hundred thousand rows to ten million, in little memory
	$(BIN)/python benchmarks/bench_scale.py $(ARGUMENTS)

bench-storage: $(VENV)/.built $(VENV)/.bench ## time stores beside obstore (ARGUMENTS=--quick tries it)
	$(BIN)/python benchmarks/bench_storage.py $(ARGUMENTS)

test-torch: $(VENV)/.built ## run what needs PyTorch, whose wheel brings 5 GB, in an environment of its own
	test -d $(VENV)-torch || $(PYTHON) -m venv $(VENV)-torch
	$(VENV)-torch/bin/python -m pip install --quiet --upgrade pip==26.3
	$(VENV)-torch/bin/python -m pip install --quiet --group torch
	PYTHONPATH=$(CURDIR) $(VENV)-torch/bin/python -m pytest --quiet tests_torch

# Under qemu, which gives no speeds: `rustup target add aarch64-unknown-linux-gnu`, and of Debian gcc-aarch64-linux-gnu,
# libc6-dev-arm64-cross and qemu-user.
test-arm: ## run the tests of MinHash for 64-bit ARM, on whatever machine this is
	CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc CXX_aarch64_unknown_linux_gnu=aarch64-linux-gnu-g++ \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
	cargo test --release --locked -p mithril-tests --test minhash --target aarch64-unknown-linux-gnu

# Ray's nodes and Spark's executors are processes of this machine; Spark needs Java 17 or newer.
test-cluster: $(VENV)/.built $(VENV)-cluster/.tools ## run deduplication on Ray and on Spark, whose packages bring 1 GB, in an environment of its own
	PYTHONPATH=$(CURDIR):$(CURDIR)/tests_cluster $(VENV)-cluster/bin/python -m pytest --quiet tests_cluster

clean: ## remove what was built
	rm -rf target $(VENV) demo-output mithril/_native.*.so

# The tools of pyproject.toml's group "dev", with those versions.
$(VENV)/.tools: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip==26.3
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

# Environments of their own, each with the group of its name.
$(VENV)-cluster/.tools $(VENV)-datatrove/.tools: $(VENV)-%/.tools: pyproject.toml
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install --quiet --upgrade pip==26.3
	$(VENV)-$*/bin/python -m pip install --quiet --group $*
	touch $@

$(VENV)/.examples: $(VENV)/.tools
	$(BIN)/python -m pip install --quiet --group examples
	touch $@

$(VENV)/.docs: $(VENV)/.tools
	$(BIN)/python -m pip install --quiet --group docs
	touch $@

# The packages that benchmarks compare with; one that neither has a wheel for this machine nor compiles
# here is left out.
$(VENV)/.bench: $(VENV)/.tools
	$(BIN)/python -m pip install --quiet --group bench
	@$(BIN)/python -c 'import tomllib; \
		print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["bench-peers"], sep="\n")' | \
	while read -r package; do \
		$(BIN)/python -m pip install --quiet --no-deps --prefer-binary "$$package" || \
			echo "$$package cannot be installed here: the benchmark leaves it out"; \
	done
	touch $@

$(VENV)/.built: $(VENV)/.tools $(RUST)
	@echo "building the Python package (minutes the first time)"
	@PIP_QUIET=1 VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release --locked --quiet
	touch $@
