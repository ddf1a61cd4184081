import ArgumentParser
import Attention
import Parallelism
import TensorFiles

// What the command does, without its process and its files: for programs that hand it command lines and cases of their own.

/// What `attention run` writes for a case in memory.
///
/// - Parameters:
///   - bytes: the whole file.
///   - pool: what computes it.
/// - Returns: the file of results.
/// - Throws: what the command would end with: `CaseError`, `AttentionError` and `TensorFileError`.
package func runCase(_ bytes: [UInt8], on pool: WorkerPool) throws -> [UInt8] {
  let file = try SafetensorsFile(bytes: bytes)
  let read = try readCase(file, file.metadata, on: pool)
  _ = try read.case.explanation(on: pool)
  return try read.case.results(on: pool).bytes()
}

/// What `attention inspect` writes for a case in memory.
///
/// - Parameters:
///   - bytes: the whole file.
///   - flags: those of the command, each word by itself.
///   - pool: what computes it.
/// - Returns: the report, and the drawing where `--svg` asks for one.
/// - Throws: as ``runCase(_:on:)``, and what the command says about flags.
package func inspectCase(
  _ bytes: [UInt8], flags: [String], on pool: WorkerPool
) throws -> (report: String, drawing: String?) {
  let command = try InspectCommand.parse(["memory"] + flags)
  let file = try SafetensorsFile(bytes: bytes)
  let attributes = try CaseAttributes(file.metadata)
  func texts<Element: AttentionElement>(_: Element.Type) throws -> (report: String, drawing: String?) {
    let attentionCase = try AttentionCase<Element>(file, attributes, on: pool)
    return try command.texts(
      of: command.inspection(of: attentionCase, attributes, file.metadata, on: pool).inspection)
  }
  return try texts(checkCaseTensors(of: file))
}

/// Reads a command line of `attention` and does nothing of what it says.
///
/// - Parameter words: what stands behind the command's name.
/// - Returns: what is said about words that make no sense, or about `--help`; nil where the command would run.
package func refusal(ofAttentionCommand words: [String]) -> String? {
  do {
    _ = try AttentionCommand.parseAsRoot(words)
    return nil
  } catch {
    return AttentionCommand.fullMessage(for: error)
  }
}
