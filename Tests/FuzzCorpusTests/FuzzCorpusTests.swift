import Foundation
import FuzzTargets
import Testing

/// All inputs of `Fuzz/Corpora` through their fuzz targets: seeds, and those that a fault was found with.
@Suite struct FuzzCorpusTests {
  private static let corpora = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fuzz/Corpora")

  private static func names(in folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.hasPrefix(".") }.sorted()
  }

  @Test func everyTargetHasACorpus() throws {
    #expect(try Self.names(in: Self.corpora) == FuzzTarget.all.map(\.name).sorted())
  }

  @Test(arguments: FuzzTarget.all.map(\.name)) func findsNoFault(target name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    let folder = Self.corpora.appendingPathComponent(name)
    var counts: [FuzzOutcome: Int] = [:]
    for file in try Self.names(in: folder) {
      let bytes = try [UInt8](Data(contentsOf: folder.appendingPathComponent(file)))
      do {
        counts[try target.run(bytes), default: 0] += 1
      } catch {
        Issue.record("\(name)/\(file): \(error)")
      }
    }
    // A target that refuses all, or takes all, looks at nothing; what draws a right problem refuses none.
    #expect(counts[.answered, default: 0] > 0, "\(name) answers nothing of its corpus")
    #expect(name == "problems" || counts[.refused, default: 0] > 0, "\(name) refuses nothing of its corpus")
  }
}
