// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "CompletionsServer",
  dependencies: [
    .package(name: "swift-attention", path: "../..", traits: []),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
  ],
  targets: [
    .executableTarget(
      name: "CompletionsServer",
      dependencies: [
        .product(name: "Transformer", package: "swift-attention"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ]),
    .testTarget(
      name: "CompletionsServerTests",
      dependencies: [
        "CompletionsServer",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ]),
  ],
  swiftLanguageModes: [.v6]
)
