import Foundation

/// What was measured of a way, in seconds and bytes.
struct DistributedRow {
  let together: Double
  let alone: Double
  let waited: Double
  let waitedToSend: Double
  let messages: Double?
  let sent: Double
  let memory: (together: Double, alone: Double)?

  func cells(ranks: Int) -> [String] {
    func text(_ number: Double?, _ digits: Int = 2, _ unit: String = "") -> String {
      number.map { String(format: "%.\(digits)f", $0) + unit } ?? "-"
    }
    let hidden = messages.map { $0 > 0 ? max(0, 1 - waited / $0) : 1 }
    let share = memory.map { 100 * $0.together * Double(ranks) / $0.alone }
    return [
      text(together * 1e3), text(alone * 1e3), text(100 * alone / together / Double(ranks), 0, " %"),
      text(sent / 1e6, 3), text(messages.map { $0 * 1e3 }), text(waited * 1e3), text(waitedToSend * 1e3),
      text(hidden.map { 100 * $0 }, 0, " %"), text(memory.map { $0.together / 1e6 }, 1),
      text(memory.map { $0.alone / 1e6 }, 1), text(share, 0, " %"),
    ]
  }
}
