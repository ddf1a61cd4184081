internal import CParallelism

/// Keeps forks away from code that holds locks of other libraries.
///
/// A child of `fork` has the thread that forked and no other. A lock that another thread held at that moment is taken in the child for ever:
/// OpenBLAS's, around its list of buffers, for one. A fork waits until no thread is inside; threads that come meanwhile wait for the fork.
package enum ForkGate {
  /// Calls `body` while no fork happens. Costs two atomic additions.
  ///
  /// `body` must neither fork nor come here again.
  @inline(__always)
  package static func inside<Result>(_ body: () -> Result) -> Result {
    CParallelism_delayForks()
    defer { CParallelism_allowForks() }
    return body()
  }
}
