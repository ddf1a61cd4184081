import Foundation

/// What the tables for people show of a result, a line each.
struct TableReport {
  private let table: TextTable
  private let context: RunContext

  init(_ format: TableFormat, nameWidth: Int, kernelWidth: Int, context: RunContext) {
    self.context = context
    table = TextTable(
      format,
      [
        "shape", "dtype", "kernel", "ms", "p20-p80", "GF/s", "GB/s", "x naive", "vs plain", "of limit",
        "max error", "status",
      ], words: [0, 1, 2, 11], widths: [nameWidth, 5, kernelWidth, 8, 15, 7, 7, 7, 8, 9, 9, 0])
  }

  var opening: [String] {
    context.facts.map { table.item("\($0.0): \($0.1)") } + [""] + table.heading
  }

  func closing(_ caveats: Caveats) -> [String] {
    [""] + (Self.legend + caveats.facts.map { "\($0.0): \($0.1)" }).map(table.item)
  }

  func line(_ row: ResultRow) -> String {
    let approximate = row.scaledFromPairs == nil ? "" : "~"
    let milliseconds = row.seconds?.scaled(by: 1e3)
    let status =
      switch row.status {
      case .ok: "ok"
      case .failed(let reason): "FAILED: \(reason)"
      case .skipped(let reason): "skipped: \(reason)"
      }
    return table.line([
      row.name, row.dtype, row.kernel + (row.plan.map { " (\($0))" } ?? ""),
      milliseconds.map { approximate + short($0.median) } ?? "",
      milliseconds.map { row.rounds == 1 ? "once" : "\(short($0.p20))-\(short($0.p80))" } ?? "",
      row.flopsPerSecond.map { approximate + short($0 / 1e9) } ?? "",
      (row.readBytesPerSecond ?? row.streamedBytesPerSecond).map { approximate + short($0 / 1e9) } ?? "",
      row.speedup.map { (row.isSpeedupScaled ? "~" : "") + short($0) } ?? "",
      row.costOverPlain.map { String(format: "%.2f", $0) } ?? "",
      row.share.map { String(format: "%.0f%% ", 100 * $0.fraction) + $0.limit } ?? "",
      row.maxError.map { String(format: "%.1e", $0) } ?? "", status,
    ])
  }

  private static let legend = [
    "chosen (K): the library's own choice, kernel K for most of the work; gemm, fused, decode: that kernel, forced.",
    "naive: three plain steps in Swift loops, one thread, no SIMD by hand. ~: measured on some (sequence, head) pairs, scaled.",
    "GF/s counts visible (query, key) pairs only. GB/s counts each key and value that some query sees once; "
      + "for rotary, each element once read and once written.",
    "vs plain: time for a useful operation over that of the plain shape it is compared with, in the same rounds; "
      + "1.07 is 7 % dearer.",
    "of limit: the larger share of the arithmetic peak (fma; bf16: of its dot product, where the CPU has one) and of the "
      + "read rate from a working set of this size, both measured in this run on all threads; r+w: of the rate at which "
      + "such a working set is read and written in place.",
    "max error: against a Float64 oracle on sampled rows; out of tolerance is FAILED.",
  ]
}
