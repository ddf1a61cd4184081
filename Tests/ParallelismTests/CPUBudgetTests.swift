import Parallelism
import Testing

@Suite struct CPUBudgetTests {
  @Test(
    arguments: [
      (8, nil, 8), (8, 4.0, 4), (8, 3.2, 4), (8, 0.1, 1), (8, 100, 8), (2, 2.5, 2), (0, nil, 1), (-3, nil, 1),
      (8, 1e300, 8), (8, .infinity, 8), (3000, nil, 1024), (3000, 1500, 1024),
    ] as [(Int, Double?, Int)])
  func takesTheLesserOfAffinityAndQuota(affinity: Int, quota: Double?, threads: Int) {
    let budget = CPUBudget(affinity: affinity, quota: quota, overrideText: nil)
    #expect(budget.threads == threads)
    #expect(budget.override == nil)
  }

  @Test(arguments: [("1", 1), ("3", 3), ("64", 64), ("1024", 1024), ("5000", 1024)])
  func obeysAPositiveOverride(text: String, threads: Int) {
    let budget = CPUBudget(affinity: 8, quota: 2, overrideText: text)
    #expect(budget.threads == threads)
    #expect(budget.override == Int(text))
    #expect(budget.availableCPUs == 2)
    #expect(budget.description.contains("ATTENTION_NUM_THREADS is \(text)"))
  }

  @Test(arguments: ["", "0", "-1", "two", "2.5", "2 ", "99999999999999999999", "2\n3", "\u{0663}"])
  func ignoresAnyOtherOverrideAndSaysSo(text: String) {
    let budget = CPUBudget(affinity: 8, quota: 3, overrideText: text)
    #expect(budget.threads == 3)
    #expect(budget.override == nil)
    #expect(budget.description.contains("ATTENTION_NUM_THREADS is \(text.debugDescription), not a positive"))
  }

  @Test func describesItselfInOneBoundedLine() {
    let hostile = String(repeating: "x\n", count: 10_000)
    let description = CPUBudget(affinity: 8, quota: nil, overrideText: hostile).description
    #expect(description.count < 300)
    #expect(!description.contains("\n"))
  }

  @Test(arguments: [
    (
      CPUBudget(affinity: 1, quota: nil, overrideText: nil),
      "1 thread: affinity allows 1 CPU; no control group quota"
    ),
    (
      CPUBudget(affinity: 8, quota: 2.5, overrideText: nil),
      "3 threads: affinity allows 8 CPUs; the control group allows the time of 2.5"
    ),
    (
      CPUBudget(affinity: 2000, quota: nil, overrideText: nil),
      "1024 threads: affinity allows 2000 CPUs; no control group quota; a pool holds at most 1024"
    ),
  ])
  func saysWhy(budget: CPUBudget, expected: String) {
    #expect(budget.description == expected)
  }

  @Test func readsThisMachine() {
    let budget = CPUBudget.current
    #expect(budget.affinity >= 1)
    #expect((1...1024).contains(budget.threads))
    if budget.override == nil { #expect(budget.threads <= budget.affinity) }
  }
}
