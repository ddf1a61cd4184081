# make test    sets up, builds in release and runs all tests
# make bench   sets up, builds in release and benchmarks this machine; ARGS="--quick --format markdown" adds flags
#              (OpenBLAS chooses its kernels for this CPU; BLAS_CORE=Haswell, say, forces others)
# make format  rewrites the Swift sources in the repository's style; make lint only checks it

SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: test bench format lint setup

SWIFT_SOURCES := Package.swift Sources Tests Benchmarks
ARGS ?=
BLAS_CORE ?=

# Tests compile with testing enabled, the benchmark without: a build folder each spares both from starting over.
test: setup
	OPENBLAS_CORETYPE=$(BLAS_CORE) swift test -c release --scratch-path .build/test

bench: setup
	@swift build -c release --product attention-bench >&2
	@OPENBLAS_CORETYPE=$(BLAS_CORE) "$$(swift build -c release --show-bin-path)/attention-bench" $(ARGS)

format:
	swift format -i -r $(SWIFT_SOURCES)

lint:
	swift format lint --strict -r $(SWIFT_SOURCES)

# What the package links against, from Debian and Ubuntu. No package manager is called where everything is there.
setup:
	@command -v swift >/dev/null || { echo "No Swift toolchain on PATH: see https://www.swift.org/install/linux" >&2; exit 1; }
	@if ! { command -v pkg-config && pkg-config --exists openblas lapacke; } >/dev/null 2>&1; then \
	  packages="libopenblas-dev liblapacke-dev pkg-config"; sudo=; \
	  command -v apt-get >/dev/null || { echo "Please install OpenBLAS, LAPACKE and pkg-config with their headers; apt-get, which would install $$packages, is not here." >&2; exit 1; }; \
	  if [ "$$(id -u)" -ne 0 ]; then \
	    command -v sudo >/dev/null || { echo "Please run as root: apt-get install $$packages" >&2; exit 1; }; sudo=sudo; \
	  fi; \
	  echo "Installing $$packages" >&2; \
	  { $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$packages; } >&2 \
	    && pkg-config --exists openblas lapacke \
	    || { echo "Could not install $$packages; please install them by hand." >&2; exit 1; }; \
	fi
