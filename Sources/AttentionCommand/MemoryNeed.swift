import Attention
import Parallelism

/// Memory that a case asks for, and what in the file asks for it. A small file can ask for much: keys or sequences without elements may
/// have axes of any length, and a table may name one page many times.
package struct MemoryNeed: Sendable {
  /// The tensor, attribute or flag that it follows from.
  let name: String
  /// What lies there, in words.
  let what: String
  let shape: Shape
  let bytesPerElement: Int

  package init(_ name: String, _ what: String, _ shape: Shape, bytesPerElement: Int) {
    self.name = name
    self.what = what
    self.shape = shape
    self.bytesPerElement = bytesPerElement
  }

  /// nil beyond Int.
  private var byteCount: Int? {
    guard let count = shape.checkedElementCount else { return nil }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: bytesPerElement)
    return overflow ? nil : bytes
  }

  /// What there is, for whoever knows it better than the system: a program that gives each case a share. The system is asked where nil.
  @TaskLocal package static var share: MemoryBudget?

  /// Throws where there is no memory for all of them together: Linux would grant it, and end the process that uses it.
  ///
  /// - Parameters:
  ///   - needs: what is going to be allocated; the first that is too much is named.
  ///   - budget: what there is; ``share``, else what the system has, when nil. An eighth of it is left for what nobody counts.
  package static func check(_ needs: [MemoryNeed], budget: MemoryBudget? = nil) throws(CaseError) {
    let budget = budget ?? share ?? .current
    var left = budget.available - budget.available / 8
    for need in needs {
      guard let bytes = need.byteCount, bytes <= left else {
        let size = need.byteCount.map { "\($0) bytes" } ?? "more bytes than an Int counts"
        throw CaseError(
          need.name, "\(need.what) \(need.shape) takes \(size), expected at most the \(left) that are left")
      }
      left -= bytes
    }
  }
}
