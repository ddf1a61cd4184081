import Attention

extension FuzzTarget {
  /// A problem that attention must compute: held against the oracle, and against itself from another source on other threads.
  static let problems = FuzzTarget("problems") { bytes throws(FuzzFault) in
    var input = InputBytes(bytes)
    let problem = Problem(&input)
    do {
      switch input.int(0...3) {
      case 0: try ProblemCall<Float>(&input, problem).check()
      case 1: try ProblemCall<Double>(&input, problem).check()
      case 2: try ProblemCall<Float16>(&input, problem).check()
      default: try ProblemCall<BFloat16>(&input, problem).check()
      }
    } catch let fault as FuzzFault {
      throw fault
    } catch {
      throw FuzzFault("refused \(problem): \(error)")
    }
    return .answered
  }
}
