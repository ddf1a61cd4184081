import ArgumentParser
import DistributedAttention
import Foundation
import Transformer

extension GenerateCommand {
  /// Generates from one prompt over the ranks of an MPI job.
  ///
  /// - Returns: false where this process is the only rank, and nothing was done.
  func runOverRanks(model path: String, prompt: String?) throws -> Bool {
    #if MPI
      let communicator = try MPICommunicator.world(timeout: .seconds(300))
      defer { communicator.finalize() }
      if communicator.size == 1 { return false }
      do {
        try checkForRanks()
        try runSingle(model: path, prompt: prompt, over: communicator)
      } catch let error as ValidationError {
        communicator.abort(error, code: ExitCode.validationFailure.rawValue)
      } catch {
        communicator.abort(error)
      }
      return true
    #else
      try refuseLauncher()
      return false
    #endif
  }

  /// Throws what would need the whole cache in one process.
  private func checkForRanks() throws {
    let others = [
      ("--batch", batch != nil), ("--draft", draft != nil), ("--window", window != nil),
      ("--tolerance", storage.tolerance != nil),
    ]
    for (flag, isGiven) in others where isGiven {
      throw ValidationError("\(flag): does not go with several ranks")
    }
  }

  #if !MPI
    /// Each process that a launcher has started would generate the whole text.
    private func refuseLauncher() throws {
      for name in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"] {
        guard let ranks = ProcessInfo.processInfo.environment[name].flatMap({ Int($0) }), ranks > 1 else {
          continue
        }
        throw ModelError("mpirun", "\(ranks) ranks given, expected a build with the package trait MPI")
      }
    }
  #endif
}
