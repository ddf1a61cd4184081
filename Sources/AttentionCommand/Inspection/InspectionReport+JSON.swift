import Attention
import AttentionInspection
import Foundation

extension InspectionReport {
  /// More numbers than this are not written as JSON: a matrix of a head of 2048 queries and keys still fits.
  static let largestNumberCount = 1 << 22

  /// The report for programs: JSON with sorted keys and a line break at the end. Numbers that are not finite are null.
  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let data = try encoder.encode(Document(self))
    return String(decoding: data, as: UTF8.self).harmlessJSON + "\n"
  }
}

/// The shape of the JSON; the names of its properties are the names in it.
private struct Document: Encodable {
  let name: String
  let sequence: Int
  let queryCount: Int
  let keyCount: Int
  let valueWidth: Int
  let queryHeadCount: Int
  let keyValueHeadCount: Int
  /// Left out where the file has none that fit.
  let queryTokens: [String]?
  let keyTokens: [String]?
  let heads: [Head]

  struct Head: Encodable {
    let head: Int
    let keyValueHead: Int
    let attendingQueries: Int
    let entropy: Number
    let effectiveRank: Number
    let sinkShare: Number
    let largestWeight: Weight?
    let mass: [Number]
    let contributionMass: [Number]
    let queries: [Query]

    init(_ head: InspectionReport.Head, isSingle: Bool) {
      func number(_ value: Double) -> Number { Number(value: value, isSingle: isSingle) }
      let summary = head.summary
      self.head = summary.head
      keyValueHead = head.keyValueHead
      attendingQueries = summary.attendingQueries
      entropy = number(summary.entropy)
      effectiveRank = number(summary.effectiveRank)
      sinkShare = number(summary.sinkShare)
      largestWeight = summary.largestWeight.map {
        Weight(weight: number($0.weight), query: $0.query, key: $0.key)
      }
      mass = summary.mass.map(number)
      contributionMass = summary.contributionMass.map(number)
      queries = head.queries.map {
        Query(
          query: $0.query, weights: $0.row?.weights.map(number) ?? [],
          contributionNorms: $0.row?.norms.map(number) ?? [])
      }
    }
  }

  struct Weight: Encodable {
    let weight: Number
    let query: Int
    let key: Int
  }

  struct Query: Encodable {
    let query: Int
    let weights: [Number]
    let contributionNorms: [Number]
  }

  init(_ report: InspectionReport) {
    name = report.name
    sequence = report.sequence
    queryCount = report.queryLabels.count
    keyCount = report.keyLabels.count
    valueWidth = report.valueWidth
    queryHeadCount = report.queryHeadCount
    keyValueHeadCount = report.keyValueHeadCount
    queryTokens = report.queryLabels.tokens
    keyTokens = report.keyLabels.tokens
    heads = report.heads.map { Head($0, isSingle: report.isSingle) }
  }
}

/// A number as JSON can have it: null where it is not finite, with the digits of the type that it was computed in.
private struct Number: Encodable {
  let value: Double
  let isSingle: Bool

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if !value.isFinite {
      try container.encodeNil()
    } else if isSingle, Float(value).isFinite {
      try container.encode(Float(value))
    } else {
      try container.encode(value)
    }
  }
}
