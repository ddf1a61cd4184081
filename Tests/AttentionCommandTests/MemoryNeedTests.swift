import AttentionCommand
import Parallelism
import Tensors
import Testing

@Suite struct MemoryNeedTests {
  private func need(_ name: String, _ shape: Shape) -> MemoryNeed {
    MemoryNeed(name, "Y of shape", shape, bytesPerElement: 4)
  }

  @Test func whatFitsTogetherPasses() throws {
    // An eighth is kept: 700 bytes of 800 can be had.
    let budget = MemoryBudget(machine: 800)
    try MemoryNeed.check([], budget: budget)
    try MemoryNeed.check([need("Q", [100]), need("K", [75])], budget: budget)
    try MemoryNeed.check([need("Q", [0, .max])], budget: MemoryBudget(machine: 0))
    try MemoryNeed.check([need("Q", [1 << 50])], budget: MemoryBudget())
  }

  @Test func theFirstThatIsTooMuchIsNamed() {
    let error = #expect(throws: CaseError.self) {
      try MemoryNeed.check([need("Q", [100]), need("K", [76])], budget: MemoryBudget(machine: 800))
    }
    #expect(
      error?.description == "K: Y of shape [76] takes 304 bytes, expected at most the 300 that are left")
  }

  @Test(arguments: [[1 << 62], [1 << 40, 1 << 40]] as [Shape]) func noSizeOverflows(shape: Shape) {
    let error = #expect(throws: CaseError.self) {
      try MemoryNeed.check([need("Q", shape)], budget: MemoryBudget())
    }
    #expect(error?.reason.contains("more bytes than an Int counts") == true)
  }
}
