// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "swift-attention",
  products: [
    // MARK: What users link
    .library(name: "Attention", targets: ["Attention"]),
    .library(name: "AttentionInspection", targets: ["AttentionInspection"]),
    .library(name: "LinearAlgebra", targets: ["LinearAlgebra"]),
    .library(name: "Decompositions", targets: ["Decompositions"]),
    .library(name: "TensorFiles", targets: ["TensorFiles"]),
    .library(name: "Transformer", targets: ["Transformer"]),
    .library(name: "DistributedAttention", targets: ["DistributedAttention"]),
    // For programs in C and in all that call C: `attention.h`.
    .library(name: "AttentionC", type: .dynamic, targets: ["AttentionC"]),
    .executable(name: "attention", targets: ["AttentionMain"]),
    .executable(name: "attention-bench", targets: ["AttentionBenchMain"]),
    // What attacks the libraries and the insides of both, for the package in Fuzz.
    .library(name: "FuzzTargets", targets: ["FuzzTargets"]),
  ],
  traits: [
    .default(enabledTraits: ["Commands"]),
    .trait(
      name: "Commands",
      description:
        "The executables attention and attention-bench, which parse their command lines with swift-argument-parser"
    ),
    .trait(
      name: "MPI",
      description:
        "DistributedAttention over MPI, which has to be installed: libopenmpi-dev on Debian and Ubuntu"),
  ],
  dependencies: [
    // Command lines: help, validation, exit codes.
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    // MARK: Implementation
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(
      name: "CLAPACKE", pkgConfig: "lapacke", providers: [.apt(["liblapacke-dev"])]),
    .target(name: "CAttentionKernels", exclude: ["README.md"]),
    .target(name: "CParallelism"),
    .target(name: "Tensors"),
    .target(name: "Parallelism", dependencies: ["CParallelism"]),
    .target(
      name: "LinearAlgebra",
      dependencies: ["CAttentionKernels", "Tensors", "Parallelism", "COpenBLAS"]),
    .target(name: "Decompositions", dependencies: ["CLAPACKE", "LinearAlgebra", "Parallelism", "Tensors"]),
    .target(
      name: "Attention",
      dependencies: ["Tensors", "LinearAlgebra", "Parallelism", "CAttentionKernels", "TensorFiles"]),
    .systemLibrary(name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    .target(
      name: "DistributedAttention",
      dependencies: ["Attention", .target(name: "CMPI", condition: .when(traits: ["MPI"]))]),
    .target(
      name: "AttentionInspection", dependencies: ["Attention", "Decompositions", "Parallelism", "Tensors"]),
    .target(name: "CAttention"),
    .target(name: "AttentionC", dependencies: ["Attention", "CAttention", "Parallelism", "Tensors"]),
    .target(name: "AttentionReference", dependencies: ["Tensors"]),
    .target(name: "COneBLASThread"),
    .target(name: "CTensorFiles"),
    .target(name: "TensorFiles", dependencies: ["CTensorFiles", "Tensors"]),
    .target(
      name: "Transformer",
      dependencies: [
        "Attention", "DistributedAttention", "LinearAlgebra", "Parallelism", "TensorFiles", "Tensors",
      ]),
    .target(
      name: "AttentionCommand",
      dependencies: [
        "Attention", "AttentionInspection", "CAttention", "COneBLASThread", "DistributedAttention",
        "Parallelism", "TensorFiles", "Transformer",
        .product(
          name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["Commands"])),
      ],
      // The model that `generate` takes where none is named.
      resources: [.copy("TinyLlama")]),
    .executableTarget(name: "AttentionMain", dependencies: ["AttentionCommand"]),

    // MARK: Tests and benchmarks
    .target(name: "CMachineProbe", path: "Benchmarks/CMachineProbe"),
    .target(
      name: "BenchmarkKit", dependencies: ["CMachineProbe", "Tensors"], path: "Benchmarks/BenchmarkKit"),
    .target(
      name: "AttentionBench",
      dependencies: [
        "Attention", "AttentionC", "AttentionReference", "BenchmarkKit", "CAttention", "CAttentionKernels",
        "CMachineProbe", "COneBLASThread", "DistributedAttention",
        "LinearAlgebra", "Parallelism", "TensorFiles", "Transformer",
        .product(
          name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["Commands"])),
      ],
      path: "Benchmarks/AttentionBench",
      resources: [.copy("Resources")]),
    .executableTarget(
      name: "AttentionBenchMain", dependencies: ["AttentionBench"], path: "Benchmarks/AttentionBenchMain"),
    .target(
      name: "FuzzTargets",
      dependencies: [
        "Attention", "AttentionBench", "AttentionC", "AttentionCommand", "AttentionReference", "BenchmarkKit",
        "CAttention", "Parallelism", "TensorFiles", "Tensors", "Transformer",
      ],
      path: "Fuzz/Sources/FuzzTargets"),
    .target(name: "CAllocationCount", path: "Tests/CAllocationCount"),
    .target(
      name: "TestSupport", dependencies: ["AttentionReference", "Parallelism", "Tensors"],
      path: "Tests/TestSupport"),
    .testTarget(
      name: "TensorsTests", dependencies: ["CAllocationCount", "Tensors", "TestSupport"]),
    .testTarget(
      name: "LinearAlgebraTests",
      dependencies: ["Decompositions", "LinearAlgebra", "Parallelism", "Tensors", "TestSupport"]),
    .testTarget(
      name: "ParallelismTests", dependencies: ["CParallelism", "Parallelism", "TestSupport"]),
    .testTarget(
      name: "AttentionTests",
      dependencies: [
        "Attention", "AttentionInspection", "AttentionReference", "CAllocationCount", "CAttentionKernels",
        "LinearAlgebra",
        "Parallelism", "TensorFiles", "TestSupport", "Transformer",
      ],
      resources: [.copy("Fixtures")]),
    .target(
      name: "DistributedCases", dependencies: ["Attention", "DistributedAttention"],
      path: "Tests/DistributedCases"),
    // What MPI starts on each rank; see `make test-mpi`.
    .executableTarget(
      name: "distributed-checks", dependencies: ["Attention", "DistributedAttention", "DistributedCases"],
      path: "Tests/DistributedChecks", exclude: ["generate.sh", "namespaces.sh", "run.sh"]),
    .testTarget(
      name: "DistributedAttentionTests",
      dependencies: ["Attention", "DistributedAttention", "DistributedCases"]),
    .testTarget(
      name: "AttentionReferenceTests", dependencies: ["AttentionReference", "Tensors", "TestSupport"]),
    .testTarget(name: "TensorFilesTests", dependencies: ["TensorFiles", "Tensors", "TestSupport"]),
    .testTarget(
      name: "TransformerTests",
      dependencies: [
        "Attention", "DistributedAttention", "LinearAlgebra", "Parallelism", "TensorFiles", "Tensors",
        "TestSupport", "Transformer",
      ],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "AttentionCommandTests",
      dependencies: [
        "AttentionCommand", "AttentionReference", "Parallelism", "TensorFiles", "Tensors", "TestSupport",
      ],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "AttentionBenchTests",
      dependencies: ["AttentionBench", "BenchmarkKit", "TensorFiles", "Tensors", "TestSupport"]),
    .testTarget(name: "FuzzCorpusTests", dependencies: ["FuzzTargets"]),
  ],
  swiftLanguageModes: [.v6]
)
