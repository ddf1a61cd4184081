import Foundation
import TensorFiles
import Tensors
import Testing

/// `attention-bench accuracy`: its table, and that the errors in it are those of the types.
@Suite struct AccuracyCommandTests {
  private static let types = ["float32", "bfloat16", "float16", "int8", "int4"]

  /// The largest error of the output in parts of the largest value, and of log-sum-exp, by `keys values`.
  private typealias Table = [String: (bytes: Int, output: Double, logSumExp: Double)]

  private static func tables() throws -> [Table] {
    var tables: [Table] = []
    for cells in try lines() {
      let line = cells.joined(separator: " ")
      if cells.first == "keys" { tables.append([:]) }
      guard cells.count == 9, types.contains(cells[0]), let bytes = Int(cells[2]) else { continue }
      let numbers = cells[3...].compactMap { Double($0) }
      try #require(numbers.count == 6 && numbers.allSatisfy(\.isFinite), "\(line)")
      tables[tables.count - 1]["\(cells[0]) \(cells[1])"] = (bytes, numbers[2], numbers[4])
    }
    #expect(tables.map(\.count) == [20, 20])
    return tables
  }

  /// The cells of all lines of all tables; the study runs once.
  private static func lines() throws -> [[String]] { try study.get() }

  private static let study = Result {
    let outcome = try BenchProcess(["accuracy"]).outcome()
    #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome)")
    return outcome.output.split(separator: "\n").filter { $0.hasPrefix("|") }.map { line in
      line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
    }
  }

  /// The contract at every size of logits: twice the naive kernel's error and 1e-5; and half a step of the type, which the output is rounded by.
  @Test func kernelsKeepTheContractAtAllLogits() throws {
    let halfSteps = ["f32": 0, "f64": 0, "f16": 0x1p-11, "bf16": 0x1p-8]
    let rows = try Self.lines().filter { $0.count == 8 && halfSteps[$0[1]] != nil }
    #expect(rows.count == 4 * 4 * 6)
    for row in rows {
      let naive = try #require(Double(row[3]))
      // Outputs are below 4: averages of normal numbers.
      let bound = 2 * naive + 1e-5 + 4 * (halfSteps[row[1]] ?? 0)
      let chosen = try #require(Double(row[7]))
      #expect(chosen <= bound, "\(row)")
    }
  }

  /// exp within 2 ulp, tanh within 6.
  @Test func functionsAreAsExactAsTheySay() throws {
    let rows = try Self.lines().filter { $0.count == 5 && $0[0].hasSuffix("(x)") }
    #expect(rows.count >= 2)
    for row in rows {
      let error = try #require(Double(row[3]))
      #expect(error <= (row[0] == "exp(x)" ? 2 : 6), "\(row)")
      // An error of nothing at all would be one that was not measured.
      #expect(error > 0.5, "\(row)")
    }
  }

  /// The largest error that Int8 keys can make in a score of the layer: half a scale in each component of a key, and queries that are
  /// rounded to 15 bits.
  ///
  ///     |q · k̂ − q · k| / √D <= (Σ|q| · max|k| / 254 + max|q| · 2⁻¹⁵ · Σ|k|) / √D
  private static func scoreBound() throws -> Double {
    let package = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let file = try SafetensorsFile(
      path: package.appendingPathComponent(
        "Benchmarks/AttentionBench/Resources/minilm-layer3-qkv.safetensors"
      ).path)
    func rows(_ name: String) throws -> [[(sum: Double, largest: Double)]] {
      let tensor = try file.tensor(name, as: Float.self)
      return (0..<tensor.shape[1]).map { head in
        (0..<tensor.shape[2]).map { row in
          let sizes = (0..<tensor.shape[3]).map { Double(tensor[0, head, row, $0].magnitude) }
          return (sizes.reduce(0, +), sizes.max() ?? 0)
        }
      }
    }
    let (queries, keys) = (try rows("Q"), try rows("K"))
    var bound = 0.0
    for (queries, keys) in zip(queries, keys) {
      for q in queries {
        for k in keys { bound = max(bound, q.sum * k.largest / 254 + q.largest * 0x1p-15 * k.sum) }
      }
    }
    return bound / Double(file["Q"]?.shape[3] ?? 1).squareRoot()
  }

  @Test func errorsAreThoseOfTheTypes() throws {
    // Half a step of the largest value, in parts of it, and what the kernels may add.
    let halfSteps = [
      "float32": 0, "bfloat16": 0x1p-8, "float16": 0x1p-11, "int8": 1.0 / 254, "int4": 1.0 / 14,
    ]
    let scoreBound = try Self.scoreBound()
    for table in try Self.tables() {
      func row(_ keys: String, _ values: String) throws -> (bytes: Int, output: Double, logSumExp: Double) {
        try #require(table["\(keys) \(values)"])
      }
      // An average of values is as far off as the worst of them at most. 2⁻¹⁴ is what kernels over integers are held to.
      for values in Self.types {
        #expect(try row("float32", values).output <= (halfSteps[values] ?? 0) + 0x1p-14, "\(values)")
      }
      for order in [["float32", "float16", "bfloat16", "int4"], ["float16", "int8", "int4"]] {
        for (better, worse) in zip(order, order.dropFirst()) {
          #expect(try row("float32", better).output < row("float32", worse).output, "values in \(better)")
          if worse == "int4" { continue }
          for values in Self.types {
            #expect(try row(better, values).logSumExp < row(worse, values).logSumExp, "keys in \(better)")
          }
        }
      }
      // log-sum-exp moves by the largest error of a score at most, and does not know of values.
      #expect(try row("int8", "float32").logSumExp <= scoreBound + 1e-6)
      for values in Self.types {
        #expect(try row("int8", values).logSumExp == row("int8", "float32").logSumExp, "\(values)")
      }
      #expect(try row("float32", "float32").bytes == 256)
      #expect(try row("int8", "int4").bytes == 32 + 4 + 20)
    }
  }

  @Test func argumentsAreRefused() throws {
    let outcome = try BenchProcess(["accuracy", "--nonesuch"]).outcome()
    #expect(outcome.code == 64 && outcome.output.isEmpty, "\(outcome)")
  }
}
