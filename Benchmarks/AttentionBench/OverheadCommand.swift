import ArgumentParser
import Attention
import BenchmarkKit
import CAttention
import Foundation

/// Measures what a call through the C face takes beside the same call in Swift.
struct OverheadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "overhead",
    abstract: "Measure what a call through attention.h costs over the same call in Swift.",
    discussion: """
      One query of one head over one key, width 64, on one thread: next to nothing is computed. Both take turns of \
      1000 calls; the times are medians of turns. Swift's queries, keys and values are made once, as a program does \
      that keeps them; the library reads C's descriptions anew with each call.
      """)

  @Option(help: ArgumentHelp("Turns of each.", valueName: "n"))
  var turns = 300

  func validate() throws {
    guard (1...100_000).contains(turns) else {
      throw ValidationError("--turns: \(turns) given, expected 1 to 100000")
    }
  }

  func run() throws {
    let calls = 1000
    let problem = OverheadProblem()
    var (swift, c): ([Double], [Double]) = ([], [])
    for _ in 0..<turns {
      swift.append(try seconds { for _ in 0..<calls { try problem.callFromSwift() } })
      c.append(try seconds { for _ in 0..<calls { try problem.callFromC() } })
    }
    func microseconds(_ turns: [Double]) -> Double { turns.sorted()[turns.count / 2] / Double(calls) * 1e6 }
    let (inSwift, inC) = (microseconds(swift), microseconds(c))
    Output.write([
      String(format: "from Swift  %.3f µs", inSwift), String(format: "from C      %.3f µs", inC),
      String(format: "overhead    %.3f µs", inC - inSwift),
    ])
  }

  private func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = Stopwatch.seconds()
    try body()
    return Stopwatch.seconds() - start
  }
}

/// A query, a key and a value of width 64 in memory that both faces read.
private final class OverheadProblem {
  private let numbers: UnsafeMutablePointer<Float>
  private let attention = ScaledDotProductAttention(on: WorkerPool(threads: 1))
  private let swift: (queries: Queries<Float>, keyValues: KeyValues)
  private var queries = attention_queries()
  private var keyValues = attention_key_values()
  private var options = attention_options()
  private var output = attention_tensor()
  private let width = 64

  init() {
    numbers = .allocate(capacity: 4 * width)
    for index in 0..<4 * width { numbers[index] = Float(index % 7) - 3 }
    let row = Tensor<Float>(unsafeUninitializedShape: [1, 1, 1, width]) { target in
      for index in 0..<target.count { target.initializeElement(at: index, to: Float(index % 7) - 3) }
    }
    swift = (Queries(row), KeyValues(keys: row, values: row))
    var shape: [Int64] = [1, 1, 1, Int64(width)]
    func tensor(_ index: Int) -> attention_tensor {
      attention_dense(numbers + index * width, attention_type(ATTENTION_FLOAT32), 4, &shape)
    }
    queries.tensor = tensor(0)
    keyValues.keys = tensor(1)
    keyValues.values = tensor(2)
    output = tensor(3)
    let status = attention_threads_create(1, &options.threads)
    precondition(
      Int(status) == ATTENTION_OK, "no pool of one thread: \(String(cString: attention_last_error()))")
  }

  deinit {
    attention_threads_destroy(options.threads)
    numbers.deallocate()
  }

  func callFromSwift() throws {
    try attention.write(
      swift.queries, swift.keyValues,
      to: MutableTensorView(base: numbers + 3 * width, shape: [1, 1, 1, width]))
  }

  func callFromC() throws {
    guard Int(attention_run(&queries, &keyValues, &options, &output, nil)) == ATTENTION_OK else {
      throw BenchmarkError("attention_run: \(String(cString: attention_last_error()))")
    }
  }
}
