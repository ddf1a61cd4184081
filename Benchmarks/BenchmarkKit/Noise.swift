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

/// What makes a run's numbers less sure, a sentence each.
package enum Noise {
  /// A median counts as known where half its interval's width is at most this much of it, in percent.
  package static var widestPercent: Double { 2 }

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
  ///   - rows: what was measured.
  package static func seen(stolenShare: Double?, peakRatio: Double?, rows: [ResultRow]) -> [String] {
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
    return sentences + wide(rows.filter { $0.status == .ok && !$0.turns.isEmpty })
  }

  private static func wide(_ rows: [ResultRow]) -> [String] {
    let widths = rows.map { (row: $0, percent: $0.medianInterval?.halfWidthPercent) }
    let wide = widths.filter { $0.percent.map { $0 > widestPercent } ?? false }
    var sentences: [String] = []
    if let widest = wide.max(by: { ($0.percent ?? 0) < ($1.percent ?? 0) }) {
      sentences.append(
        "\(wide.count) of \(rows.count) medians were not known to \(short(widestPercent)) % when their time was over (the "
          + "widest: \(widest.row.runName), ± \(short(widest.percent ?? 0)) %)")
    }
    let few = widths.filter { $0.percent == nil }.count
    if few > 0 {
      sentences.append("\(few) of \(rows.count) medians are of too few rounds to say how well they are known")
    }
    return sentences
  }
}
