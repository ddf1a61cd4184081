import Attention
import Dispatch
import Synchronization
import Testing

@testable import Transformer

@Suite(.serialized) struct BatchTests {
  /// All results by index; fails where one comes twice.
  private func results(
    _ generator: BatchGenerator, _ prompts: [[Int]], scoring: Bool = false
  ) throws -> [Int: Result<BatchResult, ModelError>] {
    var results: [Int: Result<BatchResult, ModelError>] = [:]
    try generator.generate(prompts, scoring: scoring) { index, result in
      #expect(results[index] == nil, "prompt \(index) twice")
      results[index] = result
    }
    #expect(results.count == prompts.count)
    #expect(generator.pool.freePages == generator.pool.pages)
    return results
  }

  /// A pool that holds all, one that makes requests wait, and one in which requests must make room for others.
  @Test(arguments: [(8192, 512), (384, 512), (256, 7), (1024, 3)])
  func tokensAreThoseOfBeingAlone(poolTokens: Int, stepTokens: Int) throws {
    let model = try GenerationFixtures.tiny.get()
    let cases = try GenerationFixtures.tinyCases.get()
    let options = GenerationFixtures.exact(200)
    let prompts = (0..<24).map { cases[$0 % cases.count].tokenIds }
    let expected = try cases.map { try aloneWithMargins(model, $0.tokenIds, options) }
    let generator = try BatchGenerator(model, options, poolTokens: poolTokens, stepTokens: stepTokens)
    let results = try results(generator, prompts)
    var restarts = 0
    for (index, result) in results {
      let result = try result.get()
      let (tokens, margins) = expected[index % cases.count]
      // Passes of other sizes round in another order.
      expectGreedy(
        result.tokens, tokens, margins: margins, slack: 1e-4,
        "prompt \(index), pool \(poolTokens), step \(stepTokens)")
      restarts += result.restarts
    }
    // Texts of up to four pages, taken up with two.
    #expect((restarts > 0) == (poolTokens < 1024), "pool of \(poolTokens): \(restarts) restarts")
  }

  @Test func promptsThatCanNeverFitGetTheirOwnError() throws {
    let model = try GenerationFixtures.tiny.get()
    let one = try GenerationFixtures.tinyCases.get()[0]
    let options = GenerationFixtures.exact(100)
    let prompts = [
      one.tokenIds, [], Array(repeating: 5, count: 129), [0, 1024], one.tokenIds, [-1],
      Array(repeating: 7, count: 100), Array(repeating: 5, count: 5000),
    ]
    let generator = try BatchGenerator(model, options, poolTokens: 128)
    let results = try results(generator, prompts)
    let expected = try alone(model, one.tokenIds, options)
    for index in [0, 4] { #expect(try results[index]?.get().tokens == expected, "prompt \(index)") }
    for index in [1, 2, 3, 5, 7] {
      #expect(throws: ModelError.self, "prompt \(index)") { try results[index]?.get() }
    }
    // It fits, and outgrows the pool: the logits behind 128 tokens give one more.
    let full = try #require(try results[6]?.get())
    #expect(full.end == .capacity)
    #expect(try full.tokens == Array(alone(model, prompts[6], options)[..<29]))
    #expect(full.text == model.tokenizer.decode(full.tokens, skippingSpecialTokens: true))
  }

  /// A step that someone else has open on a sequence makes the passes of its request fail, and no others.
  @Test func aPassThatFailsFailsTheGuiltyAlone() throws {
    let model = try GenerationFixtures.tiny.get()
    let cases = try GenerationFixtures.tinyCases.get()
    let options = GenerationFixtures.exact(30)
    let generator = try BatchGenerator(model, options, poolTokens: 1024)
    var run = BatchRun(generator, scoring: true)
    for index in 0..<3 { try run.add(cases[index].tokenIds, index) }
    #expect(try run.step().isEmpty)
    let guilty = try #require(run.active[1].sequence)
    let step = try KeyValueStep([guilty], appending: [[1]])
    var results: [Int: Result<BatchResult, ModelError>] = [:]
    while run.isUnderWay {
      for (index, result) in try run.step() { results[index] = result }
    }
    step.cancel()
    #expect(throws: ModelError.self) { try results[1]?.get() }
    for index in [0, 2] {
      let result = try #require(try results[index]?.get())
      #expect(try result.tokens == alone(model, cases[index].tokenIds, options), "prompt \(index)")
      let session = try GenerationSession(model, options)
      try session.prefill(cases[index].tokenIds, scoring: true)
      let (own, nll) = (result.negativeLogLikelihood ?? 0, session.negativeLogLikelihood ?? 1)
      #expect(abs(own - nll) < 1e-4, "prompt \(index): \(own), alone \(nll)")
    }
  }

  /// A pool that holds one text: the texts of two calls at once would take its page from each other.
  @Test func callsOfSeveralThreadsTakeTurns() throws {
    let model = try GenerationFixtures.tiny.get()
    let cases = try GenerationFixtures.tinyCases.get()
    let options = GenerationFixtures.exact(40)
    let generator = try BatchGenerator(model, options, poolTokens: 64)
    let expected = try (0..<3).map { try alone(model, cases[$0].tokenIds, options) }
    let right = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      try? generator.generate((0..<3).map { cases[$0].tokenIds }) { index, result in
        if (try? result.get())?.tokens == expected[index] { right.withLock { $0 += 1 } }
      }
    }
    #expect(right.withLock { $0 } == 12)
  }

  @Test func scoresAreThoseOfASession() throws {
    let model = try GenerationFixtures.tiny.get()
    let prompts = try GenerationFixtures.tinyCases.get().map(\.tokenIds) + [[0], Array(0..<300)]
    let options = GenerationFixtures.exact(3)
    let results = try results(
      try BatchGenerator(model, options, poolTokens: 2048, stepTokens: 11), prompts, scoring: true)
    for (index, prompt) in prompts.enumerated() {
      let session = try GenerationSession(model, options)
      try session.prefill(prompt, scoring: true)
      let result = try #require(try results[index]?.get())
      if prompt.count == 1 {
        #expect(result.negativeLogLikelihood == nil && session.negativeLogLikelihood == nil)
      } else {
        let (nll, own) = (
          try #require(session.negativeLogLikelihood), try #require(result.negativeLogLikelihood)
        )
        #expect(abs(nll - own) < 1e-4, "prompt \(index): \(own), alone \(nll)")
      }
      #expect(result.topLogits.map(\.token) == session.largestLogits(8).map(\.token), "prompt \(index)")
    }
  }

  @Test func commonBeginningsAreNotComputedAgain() throws {
    let model = try GenerationFixtures.tiny.get()
    let beginning = Array(repeating: [0, 53, 675, 326, 222], count: 30).flatMap { $0 }
    let prompts = (0..<6).map { beginning + [100 + $0] }
    // The first prompt fills the first step.
    let generator = try BatchGenerator(model, GenerationFixtures.exact(5), poolTokens: 4096, stepTokens: 151)
    let results = try results(generator, prompts)
    #expect(try results[0]?.get().reusedTokens == 0)
    for index in 1..<6 {
      #expect(try results[index]?.get().reusedTokens == 128, "prompt \(index)")
      #expect(try results[index]?.get().tokens == alone(model, prompts[index], GenerationFixtures.exact(5)))
    }
  }

  @Test func endsBetweenSteps() throws {
    let model = try GenerationFixtures.tiny.get()
    let generator = try BatchGenerator(model, GenerationFixtures.exact(50), poolTokens: 1024)
    var steps = 0
    try generator.generate(
      [[0, 53], [0, 36]],
      shouldGoOn: {
        steps += 1; return steps < 5
      }
    ) { index, _ in
      Issue.record("prompt \(index) is finished")
    }
    #expect(steps == 5)
    #expect(generator.pool.freePages == generator.pool.pages)
  }

  @Test func stopTextsEndTheirOwnPromptOnly() throws {
    let model = try GenerationFixtures.tiny.get()
    let one = try GenerationFixtures.tinyCases.get()[0]
    var options = GenerationFixtures.exact(64)
    options.stops = ["Source"]
    let results = try results(
      try BatchGenerator(model, options, poolTokens: 1024), [one.tokenIds, [0, 84, 407]])
    let result = try #require(try results[0]?.get())
    #expect(result.end == .stop && result.text.hasSuffix("more of "), "\(result)")
    #expect(try results[1]?.get().text.contains("Source") == false)
  }

  @Test func smolLM2() throws {
    let model = try GenerationFixtures.smolFloat.get()
    let texts = try GenerationFixtures.read("smollm2.json", as: [GenerationFixtures.Text].self)
    var options = GenerationFixtures.exact(32)
    options.stopsAtEnd = false
    let generator = try BatchGenerator(model, options, poolTokens: 1400, stepTokens: 128)
    let results = try results(generator, texts.map(\.ids))
    for (index, text) in texts.enumerated() {
      expectGreedy(
        try #require(try results[index]?.get()).tokens, text.continuation, margins: text.margins,
        "text \(index)")
    }
  }
}
