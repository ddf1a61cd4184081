/// On what machine and with what programs results were measured. google-benchmark's own files tell less.
struct ResultContext: Sendable, Decodable {
  var cpuModel, kernelSet, governor, linux, openBLASVersion, openBLASCore, swiftVersion: String?
  var cpuCount, threads: Int?
  var engines, environment: [String: String]?
  var noise, precision: [String]?

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

  /// What should be the same in two runs that are compared.
  private var facts: [(name: String, value: String?)] {
    func words(_ values: [String: String]?) -> String? {
      values.map { $0.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ") }
    }
    return [
      ("processor", cpuModel), ("number of processors", cpuCount.map(String.init)),
      ("threads", threads.map(String.init)), ("kernel set", kernelSet), ("frequency governor", governor),
      ("Linux", linux), ("OpenBLAS", openBLASVersion), ("OpenBLAS kernels", openBLASCore),
      ("Swift", swiftVersion), ("engines", words(engines)), ("environment", words(environment)),
    ]
  }

  /// A line for each reason why two runs may differ though the code does not, and for what disturbed either, or left it less sure.
  static func warnings(old: ResultContext, new: ResultContext) -> [String] {
    func shown(_ text: String?) -> String {
      guard let text, !text.isEmpty else { return "none" }
      return onOneLine(text, most: 200)
    }
    let differences = zip(old.facts, new.facts).filter { $0.value != $1.value }.map { old, new in
      "\(old.name): \(shown(old.value)) in OLD, \(shown(new.value)) in NEW"
    }
    let caveats = [("OLD", old), ("NEW", new)].flatMap { name, context in
      (context.noise ?? []).map { "\(name) was disturbed: \(shown($0))" }
        + (context.precision ?? []).map { "\(name) is less sure: \(shown($0))" }
    }
    return differences + caveats
  }
}
