// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "TinyLlama",
  dependencies: [.package(name: "swift-attention", path: "../..", traits: [])],
  targets: [
    .target(
      name: "Llama",
      dependencies: [
        .product(name: "Attention", package: "swift-attention"),
        .product(name: "TensorFiles", package: "swift-attention"),
      ]),
    .executableTarget(name: "TinyLlama", dependencies: ["Llama"]),
    .executableTarget(name: "Serving", dependencies: ["Llama"]),
    .executableTarget(
      name: "Arrays", dependencies: [.product(name: "Attention", package: "swift-attention")]),
    .testTarget(
      name: "TinyLlamaTests",
      dependencies: [
        "Llama", "Serving", "Arrays", .product(name: "AttentionInspection", package: "swift-attention"),
      ],
      resources: [.copy("Expected")]),
  ],
  swiftLanguageModes: [.v6]
)
