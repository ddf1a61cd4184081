import Tensors

/// The attributes of a case as text, taken out by name; what nobody took is judged at the end.
///
/// Nothing that could change the result is passed over in silence: a name that looks like a misspelt attribute, or that is one of
/// another operator, here (``CaseOperator``) or elsewhere (``OtherAttribute``), is an error; any other is listed for a warning, but for
/// the few that case files carry for their readers.
struct AttributeReader {
  private var rest: [String: String]

  // Far beyond any length, and sums of a few such numbers still fit an Int.
  static let largestInteger = Int(Int32.max)

  init(_ metadata: [String: String]) {
    rest = metadata
  }

  private mutating func take(_ name: String) -> String? { rest.removeValue(forKey: name) }

  /// An integer; nil where there is no such attribute.
  mutating func integer(_ name: String, in range: ClosedRange<Int>) throws(CaseError) -> Int? {
    guard let text = take(name) else { return nil }
    guard let value = strictInteger(text), range.contains(value) else {
      throw CaseError(
        name, "\(quoted(text)), expected an integer from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// 1 for true, 0 for false.
  mutating func flag(_ name: String) throws(CaseError) -> Bool? {
    try integer(name, in: 0...1).map { $0 == 1 }
  }

  /// A finite decimal number.
  mutating func number(
    _ name: String, atLeast least: Double = -.infinity
  ) throws(CaseError) -> Double? {
    guard let text = take(name) else { return nil }
    guard let value = strictNumber(text), value.isFinite, value >= least else {
      let range = least.isFinite ? " of at least \(least)" : ""
      throw CaseError(name, "\(quoted(text)), expected a finite number\(range)")
    }
    return value
  }

  /// One of a few words.
  mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ name: String
  ) throws(CaseError) -> Choice? {
    guard let text = take(name) else { return nil }
    guard let value = Choice(rawValue: text) else {
      let choices = Choice.allCases.map(\.rawValue).joined(separator: " or ")
      throw CaseError(name, "\(quoted(text)), expected \(choices)")
    }
    return value
  }

  /// One of a few codes.
  mutating func code<Meaning>(
    _ name: String, _ meanings: KeyValuePairs<Int, (name: String, meaning: Meaning)>
  ) throws(CaseError) -> Meaning? {
    guard let text = take(name) else { return nil }
    guard let value = strictInteger(text), let found = meanings.first(where: { $0.key == value }) else {
      let codes = meanings.map { "\($0.key) (\($0.value.name))" }.joined(separator: ", ")
      throw CaseError(name, "\(quoted(text)), expected one of \(codes)")
    }
    return found.value.meaning
  }

  /// Judges what is left.
  ///
  /// - Returns: names without effect, in alphabetical order.
  /// - Throws: ``CaseError`` for a name that must be a mistake.
  func unusedNames(by op: CaseOperator) throws(CaseError) -> [String] {
    var unused: [String] = []
    for (name, text) in rest.sorted(by: { $0.key < $1.key }) where !Self.informativeNames.contains(name) {
      let elsewhere = OtherAttribute.named(name)
      if elsewhere?.isNeutral(text) == true { continue }
      for other in CaseOperator.allCases where other.attributeNames.contains(name) {
        throw CaseError(name, "an attribute of \(other.rawValue), not of \(op.rawValue)")
      }
      if let elsewhere {
        let instead = elsewhere.instead.map { ", did you mean \($0)?" } ?? ""
        throw CaseError(
          name, "\(quoted(text)), an attribute of other operators that would change the result\(instead)")
      }
      if let meant = misspelling(of: op.attributeNames, name) {
        throw CaseError(
          "metadata \(quoted(name))", "not an attribute of \(op.rawValue), did you mean \(meant)?")
      }
      unused.append(name)
    }
    return unused
  }

  /// Metadata about a file that says nothing about the computation.
  private static let informativeNames: Set = [
    "op", "case", "opset", "source", "tokens", "description", "comment", "author", "license", "format",
  ]
}

// MARK: - Misspellings

/// The attribute that a name is probably meant to be: the same letters in another style, or a slip or two away.
private func misspelling(of attributes: [String], _ name: String) -> String? {
  let letters = lettersOnly(name)
  return attributes.first { attribute in
    let expected = lettersOnly(attribute)
    let slips = expected.count < 8 ? 1 : 2
    return abs(letters.count - expected.count) <= slips && editCount(letters, expected) <= slips
  }
}

private func lettersOnly(_ name: String) -> [Character] {
  name.lowercased().filter { $0 != "_" && $0 != "-" && $0 != " " }.map { $0 }
}
