/// A run held against one newer run, or against several of the same code: a neighbour that made a row slow in one is rarely there
/// in the next.
package struct RepeatedComparison: Sendable {
  /// A newer run, and where it is kept.
  package let runs: [(path: String, comparison: Comparison)]
  /// Rows of ours that are worse, in the order of the first newer run: slower in every one, or failed in any, which no neighbour explains.
  /// Then a word for all of them together, where they are slower as a whole in every one.
  package let regressions: [String]

  /// What ``regressions`` says of all rows together.
  package static let altogether = "ours altogether"

  /// Compares an old run with each of these.
  ///
  /// - Precondition: at least one.
  /// - Throws: ``BenchmarkError`` with the path of one that has no row in common.
  package init(
    old: ResultFile, new: [(path: String, file: ResultFile)], threshold: Double,
    isWanted: (ResultFile.Row) -> Bool = { _ in true }
  ) throws(BenchmarkError) {
    precondition(!new.isEmpty, "nothing to compare with")
    var runs: [(path: String, comparison: Comparison)] = []
    for (path, file) in new {
      do {
        runs.append(
          (path, try Comparison(old: old, new: file, threshold: threshold, isWanted: isWanted)))
      } catch {
        throw BenchmarkError("\(path): \(error)")
      }
    }
    self.runs = runs
    let worse = runs.map { $0.comparison.rows.filter(\.isRegression) }
    let slower = worse.map { Set($0.map(\.name)) }
    var named: Set<String> = []
    regressions =
      worse.joined().filter { row in
        (row.verdict == .failed || slower.allSatisfy { $0.contains(row.name) })
          && named.insert(row.name).inserted
      }.map(\.name) + (runs.allSatisfy { $0.comparison.isSlowerAltogether } ? [Self.altogether] : [])
  }
}
