// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "Chat",
  dependencies: [.package(name: "swift-attention", path: "../..", traits: [])],
  targets: [
    .executableTarget(
      name: "Chat", dependencies: [.product(name: "Transformer", package: "swift-attention")]),
    .testTarget(name: "ChatTests", dependencies: ["Chat"]),
  ],
  swiftLanguageModes: [.v6]
)
