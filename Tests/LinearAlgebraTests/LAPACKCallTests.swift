import Decompositions
import LinearAlgebra
import Tensors
import Testing

@Suite struct LAPACKCallTests {
  private let call = LAPACKCall(operation: "svd(_:)")

  @Test(arguments: [(-1, "layout"), (-2, "a"), (-3, "argument 3")] as [(Int32, String)])
  func `a negative info names the argument`(info: Int32, name: String) {
    let error = #expect(throws: AttentionError.self) { try call.checkArguments(info, ["layout", "a"]) }
    #expect(error?.kind == .invalidArgument && error?.argument == name)
    #expect(error?.reason.hasPrefix("svd(_:) got ") == true)
  }

  @Test(arguments: [-1010, -1011] as [Int32])
  func `no memory is told apart`(info: Int32) {
    #expect(throws: AttentionError(.outOfMemory, "svd(_:)", "no memory for LAPACK's workspace")) {
      try call.checkArguments(info, ["layout", "a"])
    }
  }

  @Test func `success and numerical results pass`() throws {
    try call.checkArguments(0, ["layout"])
    try call.checkArguments(3, ["layout"])
  }
}
