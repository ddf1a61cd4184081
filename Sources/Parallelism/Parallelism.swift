public final class WorkerPool: Sendable {
  public static let shared = WorkerPool()
  public let threadCount = 1
  public init(threads: Int? = nil) {}
  public func run(_ count: Int, maximumThreads: Int = .max, _ body: (Int) -> Void) {
    for i in 0..<count { body(i) }
  }
}
