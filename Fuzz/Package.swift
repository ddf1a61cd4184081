// swift-tools-version: 6.2

import PackageDescription

// A package of its own: whoever links the library above builds nothing of it. The targets lie in Sources/FuzzTargets and belong to the
// package above, whose tests run them over all corpora.
let package = Package(
  name: "Fuzz",
  dependencies: [.package(name: "swift-attention", path: "..")],
  targets: [
    .target(name: "CFuzzDriver"),
    .executableTarget(
      name: "fuzz",
      dependencies: ["CFuzzDriver", .product(name: "FuzzTargets", package: "swift-attention")],
      path: "Sources/FuzzMain",
      // The default, gold, ends with an internal error where libFuzzer and AddressSanitizer are linked.
      linkerSettings: [.unsafeFlags(["-use-ld=lld"])]),
  ],
  swiftLanguageModes: [.v6]
)
