import Attention

/// How text is generated, beside the model.
public struct GenerationOptions: Sendable {
  /// The most tokens that are generated after a prompt.
  public var maximumTokens: Int

  /// How each is chosen.
  public var sampling: SamplingOptions

  /// Texts before which generation ends; they are not part of it.
  public var stops: [String]

  /// Whether a token that ends a text or a turn ends generation; else it is a token like others.
  public var stopsAtEnd = true

  /// How many tokens of a prompt go through the model at once. More are faster up to some hundreds, and delay whoever wants to cancel.
  public var chunk = 512

  /// What keys are stored in.
  public var keys: KeyValueType

  /// What values are stored in.
  public var values: KeyValueType

  /// With keys of ``Attention/KeyValueType/planes``: how far attention of a token may be off, relative to the largest value, see
  /// ``Attention/ScaledDotProductAttention/within(_:_:_:)``. Where nil, both planes are read whole, as in passes of many tokens in any case.
  public var tolerance: Double?

  /// How many tokens each token sees, its own included, beside the first ``keptTokens``; nil for all. The cache is a ring then, and stays
  /// as small however long the text becomes.
  public var window: Int?

  /// How many tokens at the start stay visible beside a ``window``.
  public var keptTokens = 4

  /// Options; greedy, and with a bfloat16 cache of everything where nothing is said.
  public init(
    maximumTokens: Int = 128, sampling: SamplingOptions = SamplingOptions(), stops: [String] = [],
    keys: KeyValueType = .bfloat16, values: KeyValueType = .bfloat16, tolerance: Double? = nil,
    window: Int? = nil
  ) {
    self.maximumTokens = maximumTokens
    self.sampling = sampling
    self.stops = stops
    self.keys = keys
    self.values = values
    self.tolerance = tolerance
    self.window = window
  }

  /// Throws where a number is out of its range.
  func check() throws(ModelError) {
    try sampling.check()
    func check(_ name: String, _ value: Int, least: Int) throws(ModelError) {
      guard value >= least else { throw ModelError(name, "\(value) given, expected at least \(least)") }
    }
    try check("maximumTokens", maximumTokens, least: 0)
    try check("chunk", chunk, least: 1)
    if let window { try check("window", window, least: 1) }
    try checkTolerance(tolerance, keys)
    try check("keptTokens", keptTokens, least: 0)
    if stops.contains(where: \.isEmpty) {
      throw ModelError("stops", "an empty text given, expected some characters")
    }
  }
}

/// Throws where a tolerance is none, or keys have no bound.
func checkTolerance(_ tolerance: Double?, _ keys: KeyValueType) throws(ModelError) {
  guard let tolerance else { return }
  guard tolerance >= 0, tolerance.isFinite else {
    throw ModelError("tolerance", "\(tolerance) given, expected a finite number from 0 on")
  }
  guard keys == .planes else {
    throw ModelError("tolerance", "given for keys of \(keys), expected keys of planes")
  }
}
