import LinearAlgebra
import Testing

@Suite struct LAPACKCallTests {
  private let call = LAPACKCall(operation: "svd(_:)")

  @Test(arguments: [(-1, "layout"), (-2, "a"), (-3, "argument 3")] as [(Int32, String)])
  func `a negative info names the argument`(info: Int32, name: String) {
    let error = #expect(throws: LinearAlgebraError.self) { try call.checkArguments(info, ["layout", "a"]) }
    guard case .invalidArgument(let operation, let argument, _, _) = error else {
      Issue.record("\(String(describing: error)) names no argument")
      return
    }
    #expect(operation == "svd(_:)" && argument == name)
  }

  @Test(arguments: [-1010, -1011] as [Int32])
  func `no memory is told apart`(info: Int32) {
    #expect(throws: LinearAlgebraError.outOfMemory(operation: "svd(_:)")) {
      try call.checkArguments(info, ["layout", "a"])
    }
  }

  @Test func `success and numerical results pass`() throws {
    try call.checkArguments(0, ["layout"])
    try call.checkArguments(3, ["layout"])
  }
}
