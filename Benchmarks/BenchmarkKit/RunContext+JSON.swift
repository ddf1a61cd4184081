extension RunContext {
  /// The `context` of `json`: google-benchmark's members, then ours beside them. Of google-benchmark's, those that nobody told are left
  /// out: its readers take 0 and false for what was found.
  ///
  /// - Parameter caveats: what was seen during the run, in addition to what was known before.
  func members(_ caveats: Caveats) -> [(name: String, value: JSONValue)] {
    let caches = machine.caches.map { cache in
      JSONValue.object([
        ("type", .text(cache.type)), ("level", .count(cache.level)), ("size", .count(cache.size)),
        ("num_sharing", .count(cache.sharing)),
      ])
    }
    let told: [(name: String, value: JSONValue)?] = [
      // The folders before it are the builder's.
      ("date", .text(date)), ("host_name", .text(machine.hostName)),
      ("executable", .text(executable.split(separator: "/").last.map(String.init) ?? "")),
      ("num_cpus", .count(machine.processorCount)),
      machine.megahertz.map { ("mhz_per_cpu", .number($0.rounded())) },
      machine.governor.map { ("cpu_scaling_enabled", .flag($0 != "performance")) },
      machine.hasRandomAddresses.map { ("aslr_enabled", .flag($0)) }, ("caches", .array(caches)),
      ("load_avg", .array(machine.loadAverages.map { .number($0) })),
      ("library_version", .text(revision ?? "unknown")), ("library_build_type", .text(build.rawValue)),
      ("json_schema_version", .count(1)),
    ]
    return told.compactMap { $0 }
      + own(Caveats(noise: noise + caveats.noise, precision: caveats.precision))
  }

  private func own(_ caveats: Caveats) -> [(name: String, value: JSONValue)] {
    func texts(_ values: [String: String]) -> JSONValue {
      .object(values.sorted { $0.key < $1.key }.map { ($0.key, .text($0.value)) })
    }
    let peaks = peaks.map { (name: $0.arithmetic.typeName, value: JSONValue.number($0.rate.all)) }
    let handOff = handOff.map {
      JSONValue.object([("spinning", .number($0.spinning)), ("sleeping", .number($0.sleeping))])
    }
    return [
      ("cpu_model", .text(machine.processor)), ("cpu_flags", .text(machine.flags)),
      ("kernel", .text(machine.kernel)), ("governor", JSONValue(machine.governor)),
      ("numa_nodes", .count(machine.numaNodes)), ("cgroup_cpu_quota", JSONValue(quota)),
      ("threads", .count(threads)), ("openblas_version", .text(openBLAS)),
      ("openblas_core", .text(openBLASCore)), ("kernel_set", .text(kernelSet)),
      ("swift_version", .text(swift)), ("git_revision", JSONValue(revision)),
      ("environment", texts(environment)), ("peak_gflops", .object(peaks)),
      (
        "read_gbytes_per_s",
        .object([("memory", .number(memoryRead.all)), ("cache", .number(cacheRead.all))])
      ), ("hand_off_us", handOff ?? .null), ("noise", .array(caveats.noise.map { .text($0) })),
      ("precision", .array(caveats.precision.map { .text($0) })),
      ("engines", texts(engines)), ("seed", .bits(seed)), ("arguments", .array(arguments.map { .text($0) })),
    ]
  }
}

extension Arithmetic {
  /// The element type whose arithmetic it is.
  var typeName: String {
    switch self {
    case .float32: "f32"
    case .float64: "f64"
    case .bfloat16: "bf16"
    }
  }
}
