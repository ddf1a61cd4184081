import BenchmarkKit
import Parallelism

/// Shapes that are measured in the same rounds: one by itself, or all that are compared with the same plain shape, beside it.
///
/// Only times from the same rounds can be compared on a machine that others use too. The plain shape has its own row elsewhere,
/// measured alone as every shape is that nothing is compared with.
struct ShapeFamily: Workload {
  private(set) var members: [ShapeWorkload]
  let plain: ShapeWorkload?

  var names: [String] { members.map(\.shape.name) }

  /// The families of a list's shapes, each where its first member stands.
  ///
  /// - Parameters:
  ///   - list: shapes whose comparisons are in the list too.
  ///   - wanted: those to measure; all when nil.
  static func families(of list: [ShapeWorkload], named wanted: [String]? = nil) -> [ShapeFamily] {
    var families: [ShapeFamily] = []
    for workload in list where wanted?.contains(workload.shape.name) ?? true {
      let plain = list.first { $0.shape.name == workload.shape.compareWith }
      let known = families.firstIndex { plain != nil && $0.plain?.shape.name == plain?.shape.name }
      if let known {
        families[known].members.append(workload)
      } else {
        families.append(ShapeFamily(members: [workload], plain: plain))
      }
    }
    return families
  }

  func measure<E: BenchElement>(_ type: E.Type, in bench: Bench) throws -> [ResultRow] {
    let benchmark = ShapeBenchmark(bench: bench)
    // Nothing is allocated yet: a system that promises more than it has would end the process later.
    let bytes = bytes(elementBytes: MemoryLayout<E>.size, engines: bench.engines)
    if let lack = bench.lack(of: bytes) {
      return benchmark.skipped(members.map(\.shape), type, reason: "its tensors \(lack)")
    }
    return benchmark.measure(
      try members.map { try $0.inputs(type, seed: bench.seed) },
      beside: try plain?.inputs(type, seed: bench.seed))
  }

  /// What all that is measured in the same rounds takes: inputs, and what each engine needs beside them.
  private func bytes(elementBytes: Int, engines: [any AttentionEngine]) -> Double {
    members.reduce(plain?.shape.tensorBytes(elementBytes: elementBytes) ?? 0) { sum, member in
      engines.reduce(sum + member.shape.tensorBytes(elementBytes: elementBytes, outputs: 0)) {
        $0 + $1.bytes(for: member.shape, elementBytes: elementBytes)
      }
    }
  }

  func explanation<E: BenchElement>(_ type: E.Type, seed: UInt64, on pool: WorkerPool) throws -> [String] {
    try members.flatMap { member in
      let plan = try member.inputs(type, seed: seed).plan(on: pool)
      return ["\(member.shape.name) \(E.benchType.rawValue): \(member.shape.why)", plan.description, ""]
    }
  }
}
