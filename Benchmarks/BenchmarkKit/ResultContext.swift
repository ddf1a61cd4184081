/// On what machine, with what programs and in what company results were measured. google-benchmark's own files tell less.
package struct ResultContext: Sendable, Equatable, Decodable {
  package var cpuModel: String?
  package var cpuCount: Int?
  package var threads: Int?
  package var kernelSet: String?
  package var governor: String?
  package var linux: String?
  package var openBLASVersion: String?
  package var openBLASCore: String?
  package var swiftVersion: String?
  package var engines: [String: String]?
  package var environment: [String: String]?
  package var noise: [String]?
  package var precision: [String]?

  enum CodingKeys: String, CodingKey {
    case threads, governor, engines, environment, noise, precision
    case cpuModel = "cpu_model"
    case cpuCount = "num_cpus"
    case kernelSet = "kernel_set"
    case linux = "kernel"
    case openBLASVersion = "openblas_version"
    case openBLASCore = "openblas_core"
    case swiftVersion = "swift_version"
  }

  /// A context that nothing is known of.
  package init() {}
}

extension ResultContext {
  /// A line for each reason why two runs may differ though the code does not, and for what disturbed either, or left it less sure.
  package static func warnings(old: ResultContext, new: ResultContext) -> [String] {
    func words(_ values: [String: String]?) -> String? {
      values.map { $0.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ") }
    }
    let facts: [(String, String?, String?)] = [
      ("processor", old.cpuModel, new.cpuModel),
      ("number of processors", old.cpuCount.map(String.init), new.cpuCount.map(String.init)),
      ("threads", old.threads.map(String.init), new.threads.map(String.init)),
      ("kernel set", old.kernelSet, new.kernelSet),
      ("frequency governor", old.governor, new.governor),
      ("Linux", old.linux, new.linux),
      ("OpenBLAS", old.openBLASVersion, new.openBLASVersion),
      ("OpenBLAS kernels", old.openBLASCore, new.openBLASCore),
      ("Swift", old.swiftVersion, new.swiftVersion),
      ("engines", words(old.engines), words(new.engines)),
      ("environment", words(old.environment), words(new.environment)),
    ]
    let differences = facts.compactMap { name, old, new -> String? in
      old == new ? nil : "\(name): \(shown(old)) in OLD, \(shown(new)) in NEW"
    }
    let caveats = [("OLD", old), ("NEW", new)].flatMap { name, context in
      (context.noise ?? []).map { "\(name) was disturbed: \(shown($0))" }
        + (context.precision ?? []).map { "\(name) is less sure: \(shown($0))" }
    }
    return differences + caveats
  }

  private static func shown(_ text: String?) -> String {
    guard let text, !text.isEmpty else { return "none" }
    let line = onOneLine(text)
    return line.count > 200 ? line.prefix(200) + "…" : line
  }
}

extension ResultContext {
  /// Whether an engine's times are ours to answer for. What is not ours is known, a kernel that is new is not; a file of
  /// google-benchmark's own has no engines, and all rows are.
  func isOurs(engine: String?) -> Bool {
    guard let engine else { return true }
    return engine != "naive" && engines?[engine] == nil
  }
}
