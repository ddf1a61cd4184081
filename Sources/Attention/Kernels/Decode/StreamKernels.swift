import CAttentionKernels

/// In which form a head's queries meet streamed keys.
enum StreamedQueries {
  case floats
  /// Pairs of bfloat16.
  case pairs
  /// Integers of 16 bits with a scale a row.
  case integers
}

/// Which kernel streams the keys of a head: that of bfloat16 pairs where the CPU multiplies these, and queries and keys are such; that of
/// integers where keys are Int8; else that of their storage type.
///
/// The CPU's dot product of bfloat16 takes subnormal numbers for 0. As in ``FusedUnits``, queries that are subnormal, or so large that a
/// subnormal key would count beside them, are multiplied exactly. Queries that meet Int8 are rounded to 16 bits: a component is off by at
/// most 1/65,534 of the row's largest, where rounding a key to 8 bits moves one by up to 1/254. Rows that are not finite, or so
/// small that their scale would not be exact, are multiplied as Floats. All of that follows from a head's queries alone.
///
/// Values are converted, and weights are not rounded: rounded ones would not add up to the sum that outputs are divided by.
struct StreamKernels {
  private let kernels: KernelTable
  private let columns: Int
  private let usual: StreamedQueries
  private let largestQuery: Float
  private let store: RowKernels<Float>.Store

  /// - Parameter keys: what is streamed.
  init(_ problem: AttentionProblem, keys: RowStorage, _ kernels: KernelTable) {
    self.kernels = kernels
    columns = problem.sizes.headDimension
    usual =
      switch keys {
      case .int8: .integers
      case .numbers(.bfloat16) where problem.elementType == .bfloat16 && kernels.streamDots != nil: .pairs
      case .numbers, .int4, .planes: .floats
      }
    largestQuery = FusedUnits(problem).largestPairedQuery
    store = RowKernels<Float>(kernels).store(.bfloat16)
  }

  /// Brings the queries of a head, so many rows, to the form that they are multiplied in, and says which that is.
  func prepare(_ work: TileWorkspace<Float>, rows: Int) -> StreamedQueries {
    switch usual {
    case .floats: .floats
    case .pairs: pairs(work, count: rows * columns) ? .pairs : .floats
    case .integers: quantize(work, rows) ? .integers : .floats
    }
  }

  /// Keeps `count` numbers in bfloat16 too, and says whether they can be multiplied as pairs.
  private func pairs(_ work: TileWorkspace<Float>, count: Int) -> Bool {
    // They were bfloat16 before: nothing is rounded.
    _ = store(work.pairedQueries, 1, work.queries, count, 1)
    var largest: UInt16 = 0
    var subnormals: UInt16 = 0
    for index in 0..<count {
      let magnitude = work.pairedQueries[index] & 0x7FFF
      largest = max(largest, magnitude)
      // 0 and what is below the least exponent of a normal number.
      subnormals |= magnitude < 0x80 ? magnitude : 0
    }
    return subnormals == 0 && Float(bitPattern: UInt32(largest) << 16) <= largestQuery
  }

  /// Below this, `largest / 32767` would be close to the subnormal numbers, which have few bits.
  private static let leastScale: Float = 1e-30

  /// Rounds rows to integers, and says whether all can be.
  private func quantize(_ work: TileWorkspace<Float>, _ rows: Int) -> Bool {
    var areAll = true
    work.pairedQueries.withMemoryRebound(to: Int16.self, capacity: rows * columns) { target in
      for row in 0..<rows {
        let scale = kernels.pointee.quantize_i16(
          target + row * columns, work.queries + row * columns, columns)
        work.queryScales[row] = scale
        // NaN fails too.
        areAll = areAll && (scale == 0 || scale >= Self.leastScale)
      }
    }
    return areAll
  }

  /// What computes the scores of keys, and the queries that it takes.
  func products(
    of keys: RowStorage, _ form: StreamedQueries, _ work: TileWorkspace<Float>, from first: Int
  ) -> (kernel: KernelTable.Products, queries: UnsafeRawPointer) {
    let words = UnsafeRawPointer(work.pairedQueries + first)
    switch form {
    case .floats: return (kernels.streamProducts(keys), UnsafeRawPointer(work.queries + first))
    case .integers: return (kernels.pointee.dot_products_from_i8, words)
    case .pairs:
      guard let dots = kernels.streamDots else { preconditionFailure("pairs without a kernel for them") }
      return (dots, words)
    }
  }
}
