import AttentionCommand
import BenchmarkKit
import TensorFiles
import Tensors
import Transformer

/// Runs what may refuse its input.
///
/// - Throws: ``FuzzFault`` of `body`'s own, and where an error is of no type that the documentation names, or does not say in one line what
///   is wrong.
func attempt(_ body: () throws -> Void) throws(FuzzFault) -> FuzzOutcome {
  do {
    try body()
    return .answered
  } catch let fault as FuzzFault {
    throw fault
  } catch {
    switch error {
    case is TensorFileError, is AttentionError, is ModelError, is CaseError, is BenchmarkError: break
    default: throw FuzzFault("an error of \(type(of: error)): \(error)")
    }
    try checkMessage("\(error)")
    return .refused
  }
}

/// Throws where a message is empty, too long for a log, or has characters that break its line or change what a terminal shows of it.
func checkMessage(_ message: String) throws(FuzzFault) {
  let longest = 4096
  guard !message.isEmpty else { throw FuzzFault("an error without a message") }
  guard message.utf8.count <= longest else {
    throw FuzzFault("a message of \(message.utf8.count) bytes: \(message.prefix(200).debugDescription)...")
  }
  let isPrintable = message.unicodeScalars.allSatisfy {
    switch $0.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: false
    default: true
    }
  }
  guard isPrintable else { throw FuzzFault("a message on several lines: \(message.debugDescription)") }
}

/// Throws ``FuzzFault`` unless a condition holds.
func require(_ condition: Bool, _ fault: @autoclosure () -> String) throws(FuzzFault) {
  if !condition { throw FuzzFault(fault()) }
}
