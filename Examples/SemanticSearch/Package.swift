// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "SemanticSearch",
  dependencies: [.package(name: "swift-attention", path: "../..", traits: [])],
  targets: [
    .executableTarget(
      name: "SemanticSearch", dependencies: [.product(name: "Transformer", package: "swift-attention")]),
    .testTarget(name: "SemanticSearchTests", dependencies: ["SemanticSearch"]),
  ],
  swiftLanguageModes: [.v6]
)
