/// A reader or a computation that takes bytes from anybody.
public struct FuzzTarget: Sendable {
  /// What `FUZZ_TARGET` and the folder of its corpus are called.
  public let name: String

  /// Does with the bytes whatever a program would do with them.
  ///
  /// An error of the library's own about them is a right answer. What is wrong ends the process (a trap, a finding of a sanitizer), or is
  /// thrown.
  public let run: @Sendable ([UInt8]) throws(FuzzFault) -> FuzzOutcome

  init(_ name: String, _ run: @escaping @Sendable ([UInt8]) throws(FuzzFault) -> FuzzOutcome) {
    self.name = name
    self.run = run
  }

  /// All targets. A new one is a file beside this one, a line here and a folder in `Corpora`.
  public static let all: [FuzzTarget] = [
    .safetensors, .gguf, .npy, .configurations, .tokenizers, .chats, .cases, .savedCaches, .commandLines,
    .benchmarkFiles, .keyValues, .problems, .sampling, .cEntries,
  ]
}

/// What became of an input.
public enum FuzzOutcome: Sendable {
  /// It was read or computed to its end.
  case answered
  /// The library threw an error about it.
  case refused
}

/// Something that the library must not do.
public struct FuzzFault: Error, CustomStringConvertible {
  /// What it did.
  public let description: String

  init(_ description: String) { self.description = description }
}
