# make test    sets up, fetches the published models that some tests read, builds in release and runs all tests
# make generate   builds the command and has a language model go on with PROMPT; MODEL=path names another than the tiny one of this
#              repository, ARGS="--chat --max-tokens 64" adds flags
# make bench   sets up, builds in release and benchmarks this machine; ARGS="--quick --format markdown" adds flags
#              (OpenBLAS chooses its kernels for this CPU; BLAS_CORE=Haswell, say, forces others)
# make peers   makes Python environments with the engines that attention-bench --peers measures beside ours, and says first about how
#              much that downloads; PEERS=vllm,zentorch,flex picks, and llamacpp,openvino-genai run models. Nothing else installs any
# make models  downloads the models that tests and benchmarks use into Models/; MODELS=smollm2,minilm picks
# make bench-against REV=main   builds that revision in a work tree of its own, and measures this tree's build against it in the same rounds;
#                    ARGS="--only llama-decode --fail-below 0.95" adds flags
# make report        writes .build/report.html from the results that are committed for such machines, or from RESULTS="a.json b.json";
#                    CHARTS=folder keeps the charts as well; make test-report checks what writes it
# make test-kernels, make test-neon   check the C kernels alone: this machine's (SANITIZE=1 with sanitizers), and AArch64's in an emulator
# make test-threads  runs the random test of caches, steps of several threads included, under ThreadSanitizer, in a debug build
# make fuzz SECONDS=60   attacks the readers of files and what computes with libFuzzer, each target so long; TARGETS=gguf,tokenizers picks
# make example       builds, tests and runs the packages in Examples, with the two models of `make models` that they use
# make format  rewrites the Swift sources in the repository's style; make lint only checks it

SHELL := /bin/bash
comma := ,
.DELETE_ON_ERROR:
.PHONY: test generate test-kernels test-neon test-threads fuzz bench bench-against models peers report report-setup test-report example format lint setup

SWIFT_SOURCES := Package.swift Sources Tests Benchmarks Examples Fuzz/Package.swift Fuzz/Sources
ARGS ?=
RESULTS ?=
CHARTS ?=
BLAS_CORE ?=
REV ?=
PEERS ?= pytorch,onnxruntime,openvino,numpy
MODELS ?= smollm2,gemma3,minilm

# The instruction sets of this machine below its best one, which runs anyway.
FLAGS := $(shell grep -m1 '^flags' /proc/cpuinfo)
# avx512vnni stands for avx512 too: they differ in one entry, which the checks of the kernels hold against its definition.
LOWER_SETS := $(if $(filter avx2,$(FLAGS)),scalar) $(if $(filter avx512bw,$(FLAGS)),avx2) \
  $(if $(filter avx512_bf16,$(FLAGS)),avx512vnni,$(if $(filter avx512_vnni,$(FLAGS)),avx512))

# Tests compile with testing enabled, the benchmark without: a build folder each spares both from starting over. What depends on the
# instruction set runs again with each lower one forced: fewer random draws, and without the suites that go through all sets themselves.
test: setup models
	OPENBLAS_CORETYPE=$(BLAS_CORE) swift test -c release --scratch-path .build/test
	for set in $(LOWER_SETS); do echo "Once more with ATTENTION_KERNELS=$$set"; \
	  ATTENTION_KERNELS=$$set ATTENTION_PROPERTY_DRAWS=480 OPENBLAS_CORETYPE=$(BLAS_CORE) swift test -c release --skip-build \
	    --scratch-path .build/test --filter 'AttentionTests\.|ConformanceTests|ExplainTests|LinearTests|LinearErrorTests|NormTests|ActivationTests|RowsTests|MatmulTests' --skip 'KernelTests|KernelDutyTests|NewRuleTests|CacheModelTests|CacheErrorTests|CacheSequenceTests|CacheSaveTests' \
	    || exit 1; done

bench: setup
	@swift build -c release --product attention-bench >&2
	@OPENBLAS_CORETYPE=$(BLAS_CORE) "$$(swift build -c release --show-bin-path)/attention-bench" $(ARGS)

PROMPT ?= This License
MODEL ?=
generate: setup
	@swift build -c release --product attention >&2
	@"$$(swift build -c release --show-bin-path)/attention" generate $(MODEL) "$(PROMPT)" $(ARGS)

peers:
	$(call install,python3 -c "import ensurepip$(comma) venv",python3 python3-venv)
	@Benchmarks/Peers/install.sh .build/peers $(subst $(comma), ,$(PEERS))

models:
	$(call install,python3 -m pip --version,python3 python3-pip)
	@python3 -B Benchmarks/Models/fetch.py Models $(subst $(comma), ,$(MODELS))

# Each revision keeps its build, so that the next comparison with it starts at once.
bench-against: setup
	@[ -n "$(REV)" ] || { echo "REV names the revision to measure against: make bench-against REV=main" >&2; exit 64; }
	@commit="$$(git rev-parse --verify --quiet "$(REV)^{commit}")" || { echo "REV: git knows no revision $(REV)" >&2; exit 64; }; \
	tree=".build/against/$$commit"; \
	[ -e "$$tree" ] || git worktree add --quiet --detach "$$tree" "$$commit" >&2; \
	swift build -c release --product attention-bench >&2 \
	  && swift build -c release --product attention-bench --package-path "$$tree" >&2 \
	  && OPENBLAS_CORETYPE=$(BLAS_CORE) "$$(swift build -c release --show-bin-path)/attention-bench" \
	    --against "$$(swift build -c release --package-path "$$tree" --show-bin-path)/attention-bench" $(ARGS)

# Python draws the report's charts, and nothing else needs it.
REPORT_PYTHON := .build/report/bin/python

report-setup: $(REPORT_PYTHON)

$(REPORT_PYTHON): Benchmarks/Report/requirements.txt
	$(call install,python3 -c "import ensurepip$(comma) venv",python3 python3-venv)
	@python3 -m venv .build/report && .build/report/bin/pip install -q --disable-pip-version-check -r $< >&2 && touch $@

report: setup report-setup
	@swift build -c release --product attention-bench >&2
	@bench="$$(swift build -c release --show-bin-path)/attention-bench"; \
	results="$(RESULTS)"; results="$${results:-$$(ls Benchmarks/Results/"$$("$$bench" kind)"*.json)}"; \
	"$$bench" report $$results --output .build/report.html $(if $(CHARTS),--charts "$(CHARTS)") && echo .build/report.html

test-report: report-setup
	$(REPORT_PYTHON) -B -m unittest discover -s Benchmarks/Report

# The tests' build has the programs too: another one would compile the library once more. One build folder spares all but the first package
# that as well; SwiftPM would take the plan of the package before for that of the next there, unless it keeps none.
EXAMPLES := TinyLlama SemanticSearch Chat CompletionsServer
EXAMPLE_BUILD := .build/example

example: setup
	@$(MAKE) --no-print-directory models MODELS=smollm2,minilm
	for name in $(EXAMPLES); do \
	  swift test -c release --disable-build-manifest-caching --package-path Examples/$$name --scratch-path $(EXAMPLE_BUILD) || exit 1; done
	@programs=$(EXAMPLE_BUILD)/release; "$$programs/TinyLlama" && "$$programs/Serving" && "$$programs/Arrays" \
	  && "$$programs/SemanticSearch" docs "How is the memory of old tokens given back?" --count 3 \
	  && echo "What is the capital of France?" | "$$programs/Chat" && Examples/CompletionsServer/try.sh "$$programs/CompletionsServer"

format:
	swift format -i -r $(SWIFT_SOURCES)

lint:
	swift format lint --strict -r $(SWIFT_SOURCES)

# Every instruction set of Sources/CAttentionKernels against its definition, in C: on this machine, and for AArch64 in an emulator.
# The Swift tests run on this machine's sets only.
KERNEL_DRIVER := $(MAKE) -s -j2 -f Tests/KernelDriver/Makefile
DRIVERS := .build/kernel-driver

# SANITIZE=1 also stops at undefined behaviour and at accesses out of bounds of arrays on the stack.
SANITIZE ?=
ifeq ($(SANITIZE),)
NATIVE_DRIVER := $(DRIVERS)/native
else
NATIVE_DRIVER := $(DRIVERS)/sanitized
SANITIZE_CFLAGS := -g -fsanitize=address,undefined -fno-sanitize-recover=undefined
# Swift's clang links with gold otherwise, which warns about every symbol of the sanitizers.
SANITIZE_LDFLAGS := -fsanitize=address,undefined -fuse-ld=bfd
endif

test-kernels:
	@$(KERNEL_DRIVER) CC=clang CFLAGS="$(SANITIZE_CFLAGS)" LDFLAGS="$(SANITIZE_LDFLAGS)" OUT=$(NATIVE_DRIVER)
	$(NATIVE_DRIVER)/driver

ifeq ($(shell uname -m),aarch64)
test-neon: test-kernels
else
# Compiled by clang, which is what compiles the package, and by GCC, which generates other code from the same intrinsics; it must not
# fuse products and sums that clang keeps apart, and knows no pragma of clang's.
CROSS := aarch64-linux-gnu
test-neon:
	$(call install,command -v $(CROSS)-gcc && command -v qemu-aarch64 && test -e /usr/$(CROSS)/include/math.h,gcc-$(CROSS) libc6-dev-arm64-cross qemu-user)
	@$(KERNEL_DRIVER) CC="clang --target=$(CROSS)" CFLAGS="-isystem /usr/$(CROSS)/include" LINK="$(CROSS)-gcc -static" OUT=$(DRIVERS)/neon-clang
	@$(KERNEL_DRIVER) CC=$(CROSS)-gcc CFLAGS="-O3 -ffp-contract=off -Wno-unknown-pragmas" LDFLAGS=-static OUT=$(DRIVERS)/neon-gcc
	qemu-aarch64 $(DRIVERS)/neon-clang/driver & first=$$!; qemu-aarch64 $(DRIVERS)/neon-gcc/driver && wait $$first
endif

test-threads: setup
	swift test --sanitize=thread --scratch-path .build/threads --filter CacheModelTests

# Everything but the kernels' own instructions counts as coverage; AddressSanitizer watches the kernels too.
FUZZ_BUILD := .build/fuzz/build
SECONDS ?= 60
TARGETS ?=

fuzz: setup
	swift build -c release --package-path Fuzz --scratch-path $(FUZZ_BUILD) --sanitize=address -Xswiftc -sanitize=fuzzer \
	  --product fuzz >&2
	@Fuzz/run.sh $(FUZZ_BUILD)/release/fuzz $(SECONDS) $(subst $(comma), ,$(TARGETS))

# What the package links against.
setup:
	@command -v swift >/dev/null || { echo "No Swift toolchain on PATH: see https://www.swift.org/install/linux" >&2; exit 1; }
	$(call install,command -v pkg-config && pkg-config --exists openblas lapacke,libopenblas-dev liblapacke-dev pkg-config)

# $(call install,COMMANDS,PACKAGES): the packages of Debian and Ubuntu, unless the commands succeed already. No package manager is
# called where everything is there.
define install
@if ! { $(1); } >/dev/null 2>&1; then \
  packages="$(2)"; sudo=; \
  command -v apt-get >/dev/null || { echo "Please install what this needs; apt-get, which would install $$packages, is not here." >&2; exit 1; }; \
  if [ "$$(id -u)" -ne 0 ]; then \
    command -v sudo >/dev/null || { echo "Please run as root: apt-get install $$packages" >&2; exit 1; }; sudo=sudo; \
  fi; \
  echo "Installing $$packages" >&2; \
  { $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$packages; } >&2 \
    && { $(1); } >/dev/null \
    || { echo "Could not install $$packages; please install them by hand." >&2; exit 1; }; \
fi
endef
