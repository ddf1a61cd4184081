import ArgumentParser
import BenchmarkKit

/// Reads a command line of `attention-bench`, finds the shapes that it asks for, and measures none.
///
/// - Parameter words: what stands behind the command's name.
/// - Returns: what is said about words that make no sense, or about `--help`; nil where the command would run.
package func refusal(ofBenchCommand words: [String]) -> String? {
  do {
    let command = try BenchCommand.parseAsRoot(words)
    if let measure = command as? MeasureCommand, measure.options.shapes == nil {
      _ = try measure.options.runs()
    }
    return nil
  } catch {
    return BenchCommand.fullMessage(for: error)
  }
}
