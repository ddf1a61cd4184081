import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Ctrl-C, as something that a loop asks about.
enum Interruption {
  fileprivate static let flag = Atomic<Bool>(false)

  /// Whether SIGINT came.
  static var came: Bool { flag.load(ordering: .relaxed) }

  /// From now on the first SIGINT is only noted, and the second one ends the process. Where it is ignored it stays so.
  static func note() {
    // The handler must find the flag made.
    _ = came
    var old = sigaction()
    guard sigaction(SIGINT, nil, &old) == 0 else { return }
    let isIgnored = unsafeBitCast(old.__sigaction_handler.sa_handler, to: Int.self) == 1
    if isIgnored { return }
    var action = sigaction()
    action.sa_flags = Int32(bitPattern: UInt32(SA_RESTART) | UInt32(SA_RESETHAND))
    action.__sigaction_handler.sa_handler = { _ in Interruption.flag.store(true, ordering: .relaxed) }
    sigaction(SIGINT, &action, nil)
  }
}
