import ArgumentParser
import BenchmarkKit
import Parallelism

extension BenchOptions {
  /// Whether sizes are gone through instead of a list.
  var isSweep: Bool { !sweep.isEmpty }

  /// The shapes of the sweep. Where the number of threads is swept it changes least often, since each is a pool of its own.
  ///
  /// - Throws: `ValidationError` where `--sweep` or `--base` is wrong.
  func sweptFamilies() throws -> [(family: ShapeFamily, threads: Int?)] {
    let listed = try listed().map(\.shape)
    let name = base ?? "gpt2-prefill"
    guard let shape = listed.first(where: { $0.name == name }) else {
      throw ValidationError("--base: shape \(unknown(name, among: listed.map(\.name)))")
    }
    let swept: [SweptShape]
    do {
      swept = try Sweep(sweep, allThreads: CPUBudget.current.threads).shapes(of: shape)
    } catch {
      throw ValidationError("--sweep: \(error)")
    }
    if threads != nil && swept.contains(where: { $0.threads != nil }) {
      throw ValidationError("--threads is given, and the sweep goes through threads too")
    }
    var counts: [Int?] = []
    for shape in swept where !counts.contains(shape.threads) { counts.append(shape.threads) }
    for case let count? in counts { try checkThreads(count) }
    return counts.flatMap { count in
      swept.filter { $0.threads == count }.map {
        (ShapeFamily(members: [ShapeWorkload(shape: $0.shape)], plain: nil), count ?? threads)
      }
    }
  }
}
