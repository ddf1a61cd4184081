/// How a product is cut into tasks: by outputs where rows are few, so that every weight is read once; by rows too where they are many.
struct LinearTasks {
  let count: Int
  /// Whether the product is done by the time that another thread wakes.
  let isSmall: Bool
  private let rows: Int
  private let outputs: Int
  private let rowsPerTask: Int
  private let outputsPerTask: Int

  /// Whole tiles of rows of every kernel (6, 4 or 2), and few enough that their inputs stay in the second-level cache.
  private static let mostRows = 96

  /// Tasks of few rows, at most: enough that threads end together, and each a long stretch of a large weight.
  private static let mostTasks = 32

  /// Products of fewer multiplications than this take less time than a thread takes to wake.
  private static let serialWork = 1 << 17

  init(rows: Int, outputs: Int, inputs: Int) {
    self.rows = rows
    self.outputs = outputs
    rowsPerTask = min(rows, Self.mostRows)
    let panels = (outputs + Linear.panelOutputs - 1) / Linear.panelOutputs
    // Many rows make even one panel a task of tens of microseconds.
    let panelsPerTask = rows > 16 ? 1 : (panels + Self.mostTasks - 1) / Self.mostTasks
    outputsPerTask = panelsPerTask * Linear.panelOutputs
    let rowTasks = (rows + rowsPerTask - 1) / max(rowsPerTask, 1)
    count = rowTasks * ((outputs + outputsPerTask - 1) / outputsPerTask)
    isSmall =
      rows.multipliedReportingOverflow(by: inputs).partialValue
      .multipliedReportingOverflow(by: outputs).partialValue < Self.serialWork
  }

  /// Tasks of the same rows follow each other.
  subscript(task: Int) -> (rows: Range<Int>, outputs: Range<Int>) {
    let perRow = (outputs + outputsPerTask - 1) / outputsPerTask
    let (row, output) = task.quotientAndRemainder(dividingBy: perRow)
    let (firstRow, firstOutput) = (row * rowsPerTask, output * outputsPerTask)
    return (
      firstRow..<min(firstRow + rowsPerTask, rows), firstOutput..<min(firstOutput + outputsPerTask, outputs)
    )
  }
}
