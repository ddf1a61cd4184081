import ArgumentParser
import BenchmarkKit
import Parallelism

extension BenchOptions {
  /// Whether sizes are gone through instead of a list.
  var isSweep: Bool { !sweep.isEmpty || sweepFile != nil }

  /// The shapes of all sweeps. Where the number of threads is swept it changes least often, since each is a pool of its own.
  ///
  /// - Throws: `ValidationError` where `--sweep` or `--base` is wrong, `BenchmarkError` where the file is.
  func sweptFamilies() throws -> [(family: ShapeFamily, threads: Int?)] {
    let listed = try listed().map(\.shape)
    if let base, !listed.contains(where: { $0.name == base }) {
      throw ValidationError("--base: shape \(unknown(base, among: listed.map(\.name)))")
    }
    let allThreads = CPUBudget.current.threads
    var swept: [SweptShape] = []
    if !sweep.isEmpty {
      do {
        swept += try shapes(of: Sweep(sweep, allThreads: allThreads), listed)
      } catch {
        throw ValidationError("--sweep: \(error)")
      }
    }
    if let sweepFile {
      for entry in try SweepFile.load(path: sweepFile, allThreads: allThreads) {
        do {
          swept += try shapes(of: entry.sweep, listed)
        } catch {
          throw BenchmarkError("\(sweepFile): line \(entry.line): \(error)")
        }
      }
    }
    return try ordered(swept)
  }

  private func shapes(of sweep: Sweep, _ listed: [BenchmarkShape]) throws(BenchmarkError) -> [SweptShape] {
    let name = sweep.base ?? base ?? "gpt2-prefill"
    guard let shape = listed.first(where: { $0.name == name }) else {
      throw BenchmarkError("base: shape \(unknown(name, among: listed.map(\.name)))")
    }
    return try sweep.shapes(of: shape)
  }

  private func ordered(_ swept: [SweptShape]) throws -> [(family: ShapeFamily, threads: Int?)] {
    if threads != nil && swept.contains(where: { $0.threads != nil }) {
      throw ValidationError("--threads is given, and the sweep goes through threads too")
    }
    if let most = swept.compactMap(\.threads).max(), most > WorkerPool.maximumThreadCount {
      throw ValidationError("threads is \(most), expected 1 to \(WorkerPool.maximumThreadCount)")
    }
    // What two sweeps have in common is measured once.
    var names: Set<String> = []
    let once = swept.filter { names.insert($0.shape.name).inserted }
    guard once.count <= Sweep.largestCount else {
      throw ValidationError("the sweeps have \(once.count) shapes, expected at most \(Sweep.largestCount)")
    }
    var counts: [Int?] = []
    for shape in once where !counts.contains(shape.threads) { counts.append(shape.threads) }
    return counts.flatMap { count in
      once.filter { $0.threads == count }.map {
        (ShapeFamily(members: [ShapeWorkload(shape: $0.shape)], plain: nil), count ?? threads)
      }
    }
  }
}
