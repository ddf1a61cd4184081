import Foundation

/// What the processors of the machine have done since it started, as `/proc/stat` counts it.
package struct ProcessorTime: Sendable, Equatable {
  /// Time that the host of a virtual machine gave to others while a processor wanted to work.
  package let stolen: Double
  /// All time.
  package let all: Double

  /// Until now; nil where Linux does not tell.
  package static var now: ProcessorTime? {
    (try? String(contentsOfFile: "/proc/stat", encoding: .utf8)).flatMap(ProcessorTime.init(statistics:))
  }

  /// The first line of `/proc/stat`: user, nice, system, idle, waiting for input, two kinds of interrupts, stolen. What follows is counted
  /// in the first two already.
  package init?(statistics: String) {
    let words = statistics.split(separator: "\n").first?.split(separator: " ") ?? []
    let times = words.dropFirst().prefix(8).compactMap { Double($0) }
    guard words.first == "cpu", times.count == 8 else { return nil }
    stolen = times[7]
    all = times.reduce(0, +)
  }

  /// Which part of the time since `start` was stolen; nil where no time has passed.
  package func stolenShare(since start: ProcessorTime) -> Double? {
    all > start.all ? max(stolen - start.stolen, 0) / (all - start.all) : nil
  }
}

/// What disturbs the machine that a run is measured on, a sentence each.
package enum Noise {
  /// What is known before.
  ///
  /// - Parameter load: processes that ran or wanted to, on average over the last minute.
  package static func before(load: Double?, processors: Int, threads: Int) -> [String] {
    let free = max(processors - threads, 0)
    // Half a processor: the average of a minute remembers what started this program.
    guard let load, load >= Double(free) + 0.5 else { return [] }
    return [
      "\(short(load)) processes were running before (load average of a minute), and \(threads) of \(processors) processors are needed"
    ]
  }

  /// What was seen during the run.
  ///
  /// - Parameters:
  ///   - stolenShare: of the processors' time.
  ///   - peakRatio: the rate of multiply-adds after the run over that before it, on one thread.
  package static func seen(stolenShare: Double?, peakRatio: Double?) -> [String] {
    var sentences: [String] = []
    if let stolenShare, stolenShare > 0.01 {
      sentences.append(
        "\(short(100 * stolenShare)) % of the processors' time went to other virtual machines (steal)")
    }
    if let peakRatio, abs(peakRatio - 1) > 0.05 {
      sentences.append(
        "one thread multiplied and added \(short(100 * peakRatio)) % as fast after the run as before: its frequency or its share changed"
      )
    }
    return sentences
  }
}
