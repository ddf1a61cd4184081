#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How long a rank waits for what others do, and how often it looks meanwhile.
struct Patience {
  /// After which it counts as never.
  let limit: Duration

  /// Looks until `isDone` says so.
  ///
  /// It spins at first, giving its CPU to whoever wants it: answers within a machine take microseconds. Then it sleeps between looks, since
  /// other ranks may be waiting for this CPU.
  /// - Returns: whether it was done in time.
  func wait(until isDone: (_ waited: Duration) throws(DistributedError) -> Bool) throws(DistributedError)
    -> Bool
  {
    let start = ContinuousClock.now
    while true {
      let waited = ContinuousClock.now - start
      if try isDone(waited) { return true }
      if waited > limit { return false }
      if waited < Self.spin { sched_yield() } else { usleep(waited < Self.nap ? 20 : 100) }
    }
  }

  /// Some round trips within a machine.
  private static let spin = Duration.microseconds(200)
  /// From here on an answer is no longer expected at once.
  private static let nap = Duration.milliseconds(20)
}

/// A thread of this module's own: no pool's, since what it does may wait for other threads.
struct Companion {
  private let thread: pthread_t

  /// Nil where the system has no thread to give.
  init?(_ body: @escaping @Sendable () -> Void) {
    final class Start: Sendable {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let start = Unmanaged.passRetained(Start(body))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { start in
        if let start { Unmanaged<Start>.fromOpaque(start).takeRetainedValue().body() }
        return nil
      }, start.toOpaque())
    guard status == 0 else {
      start.release()
      return nil
    }
    self.thread = thread
  }

  /// Leaves it to itself: nobody waits for its end.
  func detach() { pthread_detach(thread) }

  /// Waits for its end.
  func join() { pthread_join(thread, nil) }
}
