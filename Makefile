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
# make sanitize      the kernel driver under sanitizers and in valgrind, chosen Swift suites under Address and Undefined-behaviour Sanitizer, then under
#              ThreadSanitizer; make test-kernels SANITIZE=1, test-valgrind, test-memory and test-threads are its parts
# make test-c  checks attention.h and the library behind it, in C; make hammer SECONDS=300 runs the same calls on many threads, pools and forks at once
# make test-mpi      installs Open MPI, and checks attention and generation over 1 to 4 ranks; RANKS="2 8" names others
# make test-mpi-network, make bench-network   the same checks, and attention-bench distributed, on two ranks in network namespaces of their own, with TCP
#              at 10 Gbit/s between them; as root. RATE=1gbit is another network, ARGS="--ways ring --prompt 32768" adds flags
# make fuzz SECONDS=60   attacks the readers of files and what computes with libFuzzer, each target so long; TARGETS=gguf,tokenizers picks
# make example       builds, tests and runs the packages in Examples, with the two models of `make models` that they use
# make install PREFIX=/usr/local   builds libattention.so, which needs the C library and nothing else, and installs it with its headers and a
#              pkg-config file; DESTDIR=folder stages it. make example-c compiles and runs the examples in C, C++ and Rust against it
# make wheel         builds libattention.so and a Python package around it, .build/wheels/*.whl, and checks on which systems that loads
# make test-python   builds the package, installs it with NumPy into .build/python and tests it; make test-torch does so with PyTorch, Transformers
#                    and two models, in .build/python-torch (3.1 GB, most of it CUDA, without which this PyTorch does not load)
# make docs         writes the documentation of all modules into .build/docs, a folder of web pages; a link that leads nowhere fails
# make release-check   what must pass before a version is tagged and takes hours: .ci/run, then examples, MPI on this machine and over a network, sanitizers, PyTorch and models from Python,
#              fuzzing of each target and the hammer for RELEASE_SECONDS=300 each, documentation, and the API beside the last tag
# make format  rewrites the Swift sources in the repository's style; make lint only checks it

SHELL := /bin/bash
comma := ,
.DELETE_ON_ERROR:
.PHONY: fuzz mpi test-mpi network test-mpi-network bench-network wheel test-python test-torch test generate test-kernels test-neon test-c hammer test-threads test-memory test-valgrind sanitize bench bench-against models peers report report-setup test-report example libattention install example-c docs check-version check-api release-check format lint setup

SWIFT_SOURCES := Package.swift Sources Tests Benchmarks Examples Fuzz/Package.swift Fuzz/Sources
ARGS ?=
SECONDS ?= 60
RELEASE_SECONDS ?= 300
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

# The C library with all that it needs, and the Python package around it.
PYTHON_BINDINGS := Bindings/python
WHEELS := .build/wheels

wheel: libattention
	$(call install,python3 -c "import ensurepip$(comma) venv",python3 python3-venv)
	@$(call python_environment,$(WHEELS)/environment,wheel)
	@rm -rf $(WHEELS)/build $(WHEELS)/*.whl
	@$(WHEELS)/environment/bin/pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation -w $(WHEELS) ./$(PYTHON_BINDINGS)
	@$(PYTHON_BINDINGS)/check_wheel.sh $(WHEELS)/environment $(WHEELS)/*.whl

test-python: wheel
	@$(call python_environment,.build/python,numpy)
	@.build/python/bin/pip install -q --disable-pip-version-check --no-deps --force-reinstall $(WHEELS)/*.whl
	.build/python/bin/python -B -m pytest -q -p no:cacheprovider $(PYTHON_BINDINGS)/tests --ignore $(PYTHON_BINDINGS)/tests/torch

test-torch: wheel
	@$(MAKE) --no-print-directory models MODELS=smollm2,minilm
	@$(call python_environment,.build/python-torch,torch)
	@.build/python-torch/bin/pip install -q --disable-pip-version-check --no-deps --force-reinstall $(WHEELS)/*.whl
	.build/python-torch/bin/python -B -m pytest -q -p no:cacheprovider $(PYTHON_BINDINGS)/tests

# $(call python_environment,FOLDER,REQUIREMENTS): an environment of Python's with what a file in Bindings/python/requirements lists.
python_environment = { [ -x $(1)/bin/pip ] || python3 -m venv $(1); } \
  && $(1)/bin/pip install -q --disable-pip-version-check -r $(PYTHON_BINDINGS)/requirements/$(2).txt

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

# Compilers say what is public, docc makes pages of it and of the articles. Attention exports Tensors and Parallelism, and has their pages:
# the same symbol in two modules would be two pages, and links would lead to either.
DOCS_BUILD := .build/docs-build
DOCS_MODULES := Attention AttentionInspection Decompositions DistributedAttention LinearAlgebra TensorFiles Transformer

docs: setup
	@command -v docc >/dev/null || { echo "No docc on PATH: it lies beside swift in the toolchain" >&2; exit 1; }
	for target in AttentionInspection Transformer; do \
	  swift build --scratch-path $(DOCS_BUILD) --target $$target \
	    -Xswiftc -emit-symbol-graph -Xswiftc -emit-symbol-graph-dir -Xswiftc "$(CURDIR)/$(DOCS_BUILD)/graphs" || exit 1; done
	@rm -rf $(DOCS_BUILD)/chosen .build/docs && mkdir -p $(DOCS_BUILD)/chosen
	@shopt -s nullglob; for module in $(DOCS_MODULES); do \
	  cp $(DOCS_BUILD)/graphs/$$module.symbols.json $(DOCS_BUILD)/graphs/$$module@*.symbols.json $(DOCS_BUILD)/chosen || exit 1; done
	docc convert Sources/Attention/Attention.docc --additional-symbol-graph-dir $(DOCS_BUILD)/chosen --output-path .build/docs \
	  --fallback-bundle-identifier swift-attention --fallback-display-name swift-attention --warnings-as-errors
	@echo "python3 -m http.server -d .build/docs, then http://localhost:8000/documentation/swift-attention"

# The C face. SwiftPM builds its objects beside those of the programs; the link is our own.
LIBATTENTION := .build/c
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := $(shell sed -n 's/^\#define ATTENTION_VERSION "\(.*\)"/\1/p' Sources/CAttention/include/attention.h)

libattention: setup
	$(call install,command -v g++,g++)
	@swift build -c release --product AttentionC >&2
	@Bindings/c/link.sh $(LIBATTENTION)

install: libattention
	@install -d "$(DESTDIR)$(PREFIX)/lib/pkgconfig" "$(DESTDIR)$(PREFIX)/include"
	@install -m 755 $(LIBATTENTION)/libattention.so.$(VERSION) "$(DESTDIR)$(PREFIX)/lib/"
	@ln -sf libattention.so.$(VERSION) "$(DESTDIR)$(PREFIX)/lib/libattention.so.$(basename $(VERSION))"
	@ln -sf libattention.so.$(basename $(VERSION)) "$(DESTDIR)$(PREFIX)/lib/libattention.so"
	@install -m 644 Sources/CAttention/include/attention.h Sources/CAttention/include/attention_cache.h "$(DESTDIR)$(PREFIX)/include/"
	@sed -e 's|@PREFIX@|$(abspath $(PREFIX))|' -e 's|@VERSION@|$(VERSION)|' Bindings/c/attention.pc.in > "$(DESTDIR)$(PREFIX)/lib/pkgconfig/attention.pc"
	@echo "Installed libattention $(VERSION) in $(DESTDIR)$(PREFIX); ldconfig makes a new library known where that is a folder of the system's" >&2

# Compiled as a user would, against an installed prefix; all three have to print the same lines.
C_EXAMPLES := .build/c-examples
example-c:
	@$(MAKE) --no-print-directory install PREFIX=$(C_EXAMPLES)/prefix
	$(call install,command -v rustc,rustc)
	Examples/try-c.sh $(C_EXAMPLES)

# The header has the version; what cannot read it there has to say the same.
check-version:
	@grep -q '^version: "*$(VERSION)"*$$' CITATION.cff && grep -q '^## \[$(VERSION)\]' CHANGELOG.md \
	  || { echo "attention.h says $(VERSION): CITATION.cff and CHANGELOG.md have to say so too" >&2; exit 1; }

check-api:
	@tag="$$(git describe --tags --abbrev=0 2>/dev/null)"; \
	if [ -n "$$tag" ]; then swift package diagnose-api-breaking-changes "$$tag"; else echo "No tag to compare the API with"; fi

release-check:
	.ci/run
	@for part in check-api docs example test-mpi test-mpi-network test-report sanitize test-torch "fuzz SECONDS=$(RELEASE_SECONDS)" "hammer SECONDS=$(RELEASE_SECONDS)"; do \
	  echo "release-check: $$part"; $(MAKE) --no-print-directory $$part || exit 1; done

format:
	swift format -i -r $(SWIFT_SOURCES)

lint:
	swift format lint --strict -r $(SWIFT_SOURCES)

# Every instruction set of Sources/CAttentionKernels against its definition, in C: on this machine, and for AArch64 in an emulator.
# The Swift tests run on this machine's sets only.
KERNEL_DRIVER := $(MAKE) -s -j2 -f Tests/KernelDriver/Makefile
DRIVERS := .build/kernel-driver

# The kernels as the package compiles them for a release. SANITIZE=1 compiles them with AddressSanitizer, which sees arrays on the stack, and with
# checks of arithmetic and indices. Checks of each pointer (alignment, null, overflow) would take minutes to compile for the scalar set alone;
# calls into AddressSanitizer compile faster than inlined code.
SANITIZE ?=
UNDEFINED := bounds,shift,signed-integer-overflow,float-cast-overflow,integer-divide-by-zero,bool,enum,vla-bound,unreachable,return
SANITIZED := -fsanitize=address,$(UNDEFINED) -fno-sanitize-recover=$(UNDEFINED)

ifeq ($(SANITIZE),)
test-kernels: setup
	@swift build -c release --target CAttentionKernels >&2
	@$(KERNEL_DRIVER) CC=clang KERNELS="$$(swift build -c release --show-bin-path)/CAttentionKernels.build" OUT=$(DRIVERS)/native
	$(DRIVERS)/native/driver
else
# Swift's clang links with gold otherwise, which warns about every symbol of the sanitizers.
test-kernels:
	@$(KERNEL_DRIVER) CC=clang CFLAGS="-O1 -g1 $(SANITIZED) -mllvm -asan-instrumentation-with-call-threshold=0" LDFLAGS="$(SANITIZED) -fuse-ld=lld" OUT=$(DRIVERS)/sanitized
	$(DRIVERS)/sanitized/driver
endif

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

# The headers as C11 without extensions and as C++, then the library behind them, by a program of two compilers.
C_CHECKS := .build/c-checks
C_DRIVER := $(MAKE) -s -j2 -f Tests/CFace/Makefile LIBRARY=$(LIBATTENTION)
test-c: libattention
	for compiler in clang gcc; do \
	  $$compiler -fsyntax-only -std=c11 -pedantic -Wall -Wextra -Werror -x c Sources/CAttention/include/attention.h || exit 1; done
	g++ -fsyntax-only -std=c++11 -pedantic -Wall -Wextra -Werror -x c++ Sources/CAttention/include/attention.h
	for compiler in clang gcc; do \
	  $(C_DRIVER) CC=$$compiler OUT=$(C_CHECKS)/$$compiler && $(C_CHECKS)/$$compiler/driver || exit 1; done

# Attention over several ranks, on MPI: the trait compiles the package once more, in a folder of its own.
RANKS ?= 1 2 3 4
RATE ?= 10gbit
MPI_BUILD := .build/mpi
mpi: setup
	$(call install,command -v mpirun && pkg-config --exists ompi-c,libopenmpi-dev openmpi-bin)
	@$(call mpi_build,distributed-checks)
	@$(call mpi_build,attention)

# The same traits for all products, or each would compile the package anew.
mpi_build = swift build -c release --traits MPI,Commands --scratch-path $(MPI_BUILD) --product $(1) >&2

test-mpi: mpi
	Tests/DistributedChecks/run.sh $(MPI_BUILD)/release/distributed-checks $(RANKS)
	Tests/DistributedChecks/generate.sh $(MPI_BUILD)/release/attention $(RANKS)

# Two network namespaces stand for two machines.
network: mpi
	$(call install,command -v ip && command -v tc,iproute2)

test-mpi-network: network
	RATE=$(RATE) Tests/DistributedChecks/run.sh $(MPI_BUILD)/release/distributed-checks network

bench-network: network
	@$(call mpi_build,attention-bench)
	@RATE=$(RATE) Tests/DistributedChecks/namespaces.sh $(MPI_BUILD)/release/attention-bench distributed $(ARGS)

hammer: libattention
	@$(C_DRIVER) CC=clang OUT=$(C_CHECKS)/clang
	Tests/CFace/hammer.sh $(C_CHECKS)/clang/hammer $(SECONDS)

# Debug builds: a sanitizer wants to see each access. Chosen suites, since such code runs ten to a hundred times slower: those of threads, caches
# and determinism under ThreadSanitizer; readers of files, masks, caches and random problems under the other two. Left out are suites that count
# allocations, limit the address space or start processes: a sanitizer's malloc, its shadow of 16 TB and what it does not watch.
THREAD_SUITES := ParallelismTests|CacheModelTests|CacheSequenceTests|DeterminismTests|AttentionTests\.PropertyTests
MEMORY_SUITES := TensorFilesTests|TensorsTests|KeyValuesErrorTests|AttentionErrorTests|CacheModelTests|CacheSaveErrorTests|CacheWriteTests|BoundedEdgeTests|EdgeTests|AttentionTests\.PropertyTests|FuzzCorpusTests
SANITIZED_DRAWS := 200

test-threads: setup
	ATTENTION_PROPERTY_DRAWS=40 swift test --sanitize=thread --scratch-path .build/threads --filter '$(THREAD_SUITES)' --skip MemoryBudgetTests

# Swift's own arithmetic traps in every build. Its compiler has no Undefined-behaviour Sanitizer for Linux, so C alone gets it here.
test-memory: setup
	ATTENTION_PROPERTY_DRAWS=$(SANITIZED_DRAWS) ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 swift test --sanitize=address \
	  -Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined --scratch-path .build/address --filter '$(MEMORY_SUITES)'

# valgrind knows no AVX-512 and takes minutes a set: the best one that it knows, whose tails could read past a row. Version 3.19 cannot read the DWARF 5 of clang.
test-valgrind:
	$(call install,command -v valgrind,valgrind libc6-dbg)
	@$(KERNEL_DRIVER) CC=clang CFLAGS="-gdwarf-4" OUT=$(DRIVERS)/valgrind
	valgrind --quiet --error-exitcode=9 $(DRIVERS)/valgrind/driver $(if $(filter avx2,$(FLAGS)),avx2)

sanitize:
	@$(MAKE) --no-print-directory test-kernels SANITIZE=1
	@$(MAKE) --no-print-directory test-valgrind
	@$(MAKE) --no-print-directory test-memory
	@$(MAKE) --no-print-directory test-threads

# Everything but the kernels' own instructions counts as coverage; AddressSanitizer watches the kernels too.
FUZZ_BUILD := .build/fuzz/build
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
