extension KeyValueStep {
  /// The position of each appended token in its sequence, `[total]` in the order in which rows are packed: what queries are turned by.
  ///
  ///     let turned = try rotary.applied(to: queries, positions: .ids(step.positions))       // queries [1, Hq, total, D]
  ///
  /// Makes a tensor for each call.
  /// - Throws: ``AttentionError`` where the step was committed or cancelled.
  public var positions: Tensor<Int64> {
    get throws(AttentionError) {
      let view = try view
      return Tensor(unsafeUninitializedShape: [totalRows]) { target in
        var next = 0
        for sequence in 0..<view.sequenceCount {
          let rows = view.sequences[sequence]
          for position in rows.positionsBefore..<rows.positionCount {
            target.initializeElement(at: next, to: Int64(position))
            next += 1
          }
        }
      }
    }
  }
}
