import CMachineProbe

/// A wish that a measurement ends: Ctrl-C, or a polite kill. What is measured until then shall not be lost.
package enum Interruption {
  /// From now on the first SIGINT or SIGTERM is noted instead of ending the process; a second one of the same kind ends it.
  package static func watch() { CInterruption_watch() }

  /// Whether such a signal came.
  package static var isRequested: Bool { CInterruption_signal() != 0 }

  /// What a shell reports of a process that such a signal ended: 130 or 143; nil where none came.
  package static var exitCode: Int32? {
    let signal = CInterruption_signal()
    return signal == 0 ? nil : 128 + signal
  }
}
