import Decompositions
import LinearAlgebra
import Tensors
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// What happens once a process is tried in processes of their own.
@Suite struct BLASRuntimeTests {
  @Test func `facts of the runtime`() {
    #expect(BLASRuntime.config.contains(BLASRuntime.version))
    #expect(BLASRuntime.version.first?.isNumber == true, "version \(BLASRuntime.version)")
    #expect(!BLASRuntime.coreName.isEmpty)
  }

  @Test func `a core forced by the environment is reported`() async {
    await #expect(processExitsWith: .success) {
      unsetenv("OPENBLAS_CORETYPE")
      precondition(BLASRuntime.forcedCoreName == nil)
      setenv("OPENBLAS_CORETYPE", "", 1)
      precondition(BLASRuntime.forcedCoreName == nil, "an empty variable forces nothing")
      setenv("OPENBLAS_CORETYPE", "Haswell", 1)
      precondition(BLASRuntime.forcedCoreName == "Haswell")
    }
  }

  @Test func `the first product leaves one thread`() async {
    await #expect(processExitsWith: .success) {
      giveBLASTwoThreads()
      _ = multiplyOnce()
      precondition(BLASRuntime.threads == 1, "\(BLASRuntime.threads) threads after a product")
      precondition(!BLASRuntime.keepThreads(), "too late to keep the threads")
    }
  }

  @Test func `a decomposition leaves one thread too`() async {
    await #expect(processExitsWith: .success) {
      giveBLASTwoThreads()
      _ = try qr(Tensor<Double>(repeating: 1, shape: [2, 2]))
      precondition(BLASRuntime.threads == 1, "\(BLASRuntime.threads) threads after a decomposition")
    }
  }

  @Test func `threads can be kept by a call`() async {
    await #expect(processExitsWith: .success) {
      giveBLASTwoThreads()
      precondition(BLASRuntime.keepThreads(), "in time")
      _ = multiplyOnce()
      precondition(BLASRuntime.threads == 2, "\(BLASRuntime.threads) threads, not 2")
      precondition(BLASRuntime.keepThreads(), "still kept")
    }
  }

  @Test func `threads can be kept by the environment`() async {
    await #expect(processExitsWith: .success) {
      setenv("ATTENTION_KEEP_BLAS_THREADS", "1", 1)
      giveBLASTwoThreads()
      _ = multiplyOnce()
      precondition(BLASRuntime.threads == 2, "\(BLASRuntime.threads) threads, not 2")
    }
  }
}

/// Two threads for BLAS, which may have started with one: that there is one would say nothing otherwise.
private func giveBLASTwoThreads() {
  typealias SetThreads = @convention(c) (Int32) -> Void
  guard let address = dlsym(nil, "openblas_set_num_threads") else {
    preconditionFailure("OpenBLAS is not linked")
  }
  unsafeBitCast(address, to: SetThreads.self)(2)
  precondition(BLASRuntime.threads == 2, "\(BLASRuntime.threads) threads, not 2")
}

/// A product by the pointer-level entry, which must prepare the runtime as well.
private func multiplyOnce() -> Float {
  var c: Float = .nan
  withUnsafePointer(to: Float(3)) { three in
    withUnsafeMutablePointer(to: &c) { c in
      BLAS.gemm(
        ProductSize(m: 1, n: 1, k: 1), a: MatrixOperand(three, leadingDimension: 1),
        b: MatrixOperand(three, leadingDimension: 1), c: MutableMatrixOperand(c, leadingDimension: 1))
    }
  }
  precondition(c == 9, "3 · 3 = \(c)")
  return c
}
