import Attention
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The scalings against Hugging Face's own.
///
/// The expected numbers were printed by the functions of `transformers` 5.23 (`modeling_rope_utils.py`), run on NumPy in Float64
/// in place of PyTorch in Float32, with the parameters that stand beside them.
@Suite struct RotaryScalingTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let scaling: RotaryScaling
    let rotaryDimension: Int
    var base = 10_000.0
    var amplitude = 1.0
    let frequencies: [Double]
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(
      name: "linear", scaling: .linear(factor: 4), rotaryDimension: 16,
      frequencies: [
        0.25, 0.079056941504209485, 0.025, 0.0079056941504209478, 0.0025, 0.00079056941504209496, 0.00025,
        7.9056941504209485e-05,
      ]),
    Case(
      name: "dynamic NTK", scaling: .dynamicNTK(factor: 2, trainedLength: 2048, currentLength: 8192),
      rotaryDimension: 16,
      frequencies: [
        1, 0.2394813560059838, 0.057351319874464762, 0.013734571852269752, 0.0032891738913431771,
        0.00078769582363834257, 0.00018863846396516057, 4.5175395145262567e-05,
      ]),
    Case(
      name: "dynamic NTK within the trained length",
      scaling: .dynamicNTK(factor: 2, trainedLength: 2048, currentLength: 100), rotaryDimension: 16,
      frequencies: [
        1, 0.31622776601683794, 0.1, 0.031622776601683791, 0.01, 0.0031622776601683798, 0.001,
        0.00031622776601683794,
      ]),
    Case(
      name: "YaRN", scaling: .yarn(factor: 8, trainedLength: 4096), rotaryDimension: 32,
      amplitude: 1.2079441541679836,
      frequencies: [
        1, 0.56234132519034907, 0.31622776601683794, 0.17782794100389229, 0.1, 0.056234132519034905,
        0.027669929526473319, 0.013337095575291922, 0.00625, 0.0028117066259517455, 0.0011858541225631424,
        0.0004445698525097308, 0.000125, 7.0292665648793637e-05, 3.9528470752104742e-05,
        2.2228492625486534e-05,
      ]),
    Case(
      name: "YaRN without truncation", scaling: .yarn(factor: 8, trainedLength: 4096, truncates: false),
      rotaryDimension: 32, amplitude: 1.2079441541679836,
      frequencies: [
        1, 0.56234132519034907, 0.31622776601683794, 0.17782794100389229, 0.1, 0.056234132519034905,
        0.028112080847039742, 0.013224133901796551, 0.0059831334413176732, 0.0025472880550898944,
        0.00097285775915307302, 0.0002886330319452514, 0.000125, 7.0292665648793637e-05,
        3.9528470752104742e-05,
        2.2228492625486534e-05,
      ]),
    Case(
      name: "YaRN with other betas",
      scaling: .yarn(factor: 16, trainedLength: 100, betaFast: 4, betaSlow: 0.5, attentionFactor: 0.75),
      rotaryDimension: 16, amplitude: 0.75,
      frequencies: [
        1, 0.31622776601683794, 0.06875, 0.011858541225631423, 0.000625, 0.00019764235376052374, 6.25e-05,
        1.9764235376052371e-05,
      ]),
    Case(
      name: "YaRN with mscale, DeepSeek-V2",
      scaling: .yarn(
        factor: 40, trainedLength: 4096,
        attentionFactor: RotaryScaling.yarnAttentionFactor(
          factor: 40, mscale: 0.707, mscaleAllDimensions: 1)),
      rotaryDimension: 64, amplitude: 0.9210423553163399,
      frequencies: [
        1, 0.74989420933245587, 0.56234132519034907, 0.42169650342858228, 0.31622776601683794,
        0.23713737056616555, 0.17782794100389229, 0.1333521432163324, 0.1, 0.074989420933245579,
        0.056234132519034905, 0.039006926567143857, 0.026879360111431223, 0.018378146218877827,
        0.01244795587027246, 0.0083345089510207769, 0.0055, 0.0035619974943291656, 0.002249365300761396,
        0.0013705136361428923, 0.00079056941504209474, 0.00041499039849078969, 0.00017782794100389219,
        3.3338035804083099e-05, 2.5e-05, 1.8747355233311396e-05, 1.4058533129758728e-05,
        1.0542412585714557e-05,
        7.9056941504209471e-06, 5.9284342641541385e-06, 4.4456985250973073e-06, 3.3338035804083101e-06,
      ]),
    Case(
      name: "Llama 3.1", scaling: .llama3(factor: 8), rotaryDimension: 32, base: 500_000,
      frequencies: [
        1, 0.44036660267178046, 0.19392274474868576, 0.085397100285765609, 0.037606030930863933,
        0.016560440080994446, 0.0072926647372171085, 0.0032114459947525913, 0.00052484616099295468,
        7.7846552739324498e-05, 3.4281021959525912e-05, 1.509621717643313e-05, 6.6478698711812362e-06,
        2.9274998701761677e-06, 1.2891731721515574e-06, 5.6770881007598369e-07,
      ]),
    Case(
      name: "Llama 3 rule with other factors",
      scaling: .llama3(factor: 32, lowFrequencyFactor: 2, highFrequencyFactor: 16, trainedLength: 1024),
      rotaryDimension: 32, base: 500_000,
      frequencies: [
        1, 0.44036660267178046, 0.19392274474868576, 0.07309162012010656, 0.011919242857904742,
        0.0013184363606406286, 0.00022789577303803464, 0.00010035768733601848, 4.419417382415922e-05,
        1.9461638184831125e-05, 8.5702554898814781e-06, 3.7740542941082826e-06, 1.6619674677953091e-06,
        7.3187496754404192e-07, 3.2229329303788936e-07, 1.4192720251899592e-07,
      ]),
  ]

  /// Both sides round some ten times in Float64, around powers whose exponents' errors count up to 13-fold: 64 steps of 2⁻⁵³
  /// are ample, and far less than any mistake of a rule.
  private let relative = 64 * 0x1p-53

  @Test(arguments: cases)
  func frequenciesAreHuggingFaces(scaling: Case) throws {
    let spectrum = try scaling.scaling.spectrum(
      rotaryDimension: scaling.rotaryDimension, base: scaling.base)
    #expect(spectrum.frequencies.count == scaling.frequencies.count)
    for (pair, (actual, expected)) in zip(spectrum.frequencies, scaling.frequencies).enumerated() {
      #expect(abs(actual - expected) <= relative * expected, "pair \(pair): \(actual), expected \(expected)")
    }
    #expect(abs(spectrum.amplitude - scaling.amplitude) <= relative * scaling.amplitude)
  }

  /// Angles in Float64 up to the last position, rounded once: by half a step of Float, 2⁻²⁵ below 1 and 2⁻²⁴ up to 2.
  @Test(arguments: cases)
  func tablesAreTheirCosinesAndSines(scaling: Case) throws {
    let rotary = try RotaryEmbedding(
      headDimension: scaling.rotaryDimension, positions: 131_072, base: scaling.base, scaling: scaling.scaling
    )
    #expect(rotary.cosines.shape == [131_072, scaling.rotaryDimension / 2])
    for position in [0, 1, 2, 3, 1000, 65_535, 131_071] {
      for (pair, frequency) in scaling.frequencies.enumerated() {
        let angle = Double(position) * frequency
        let bound = (scaling.amplitude > 1 ? 0x1p-24 : 0x1p-25) + 2 * relative * (angle + 1)
        let cosine = Double(rotary.cosines[position, pair]), sine = Double(rotary.sines[position, pair])
        #expect(abs(cosine - scaling.amplitude * cos(angle)) <= bound, "position \(position), pair \(pair)")
        #expect(abs(sine - scaling.amplitude * sin(angle)) <= bound, "position \(position), pair \(pair)")
      }
    }
  }

  @Test func applyTurnsByScaledAnglesAndLengths() throws {
    let scaling = Self.cases[3]
    let rotary = try RotaryEmbedding(
      headDimension: 40, positions: 64, pairs: RotaryEmbedding.Pairs(rotaryDimension: 32),
      scaling: scaling.scaling)
    let source = Tensor<Float>.normal([1, 2, 60, 40], seed: 31)
    let oracle = RotaryOracle(
      .halves, 32, amplitude: scaling.amplitude, frequency: { scaling.frequencies[$0] }
    ) { _, t in t + 4 }
    oracle.expect(try rotary.applied(to: source, positions: .from(4)), isTurned: source, "YaRN")
  }

  @Test func aLonePairHasFrequencyOne() throws {
    for scaling: RotaryScaling in [
      .none, .dynamicNTK(factor: 3, trainedLength: 10, currentLength: 50),
      .yarn(factor: 1, trainedLength: 100),
    ] {
      #expect(try scaling.spectrum(rotaryDimension: 2, base: 10_000).frequencies == [1], "\(scaling)")
    }
  }

  /// A trained length so short that even the slowest turn is over within it: all pairs but the first are interpolated.
  @Test func yarnsRampMayBeAStep() throws {
    let spectrum = try RotaryScaling.yarn(factor: 4, trainedLength: 3)
      .spectrum(rotaryDimension: 8, base: 10_000)
    #expect(spectrum.frequencies.first == 1)
    for (actual, expected) in zip(spectrum.frequencies.dropFirst(), [0.025, 0.0025, 0.00025]) {
      #expect(abs(actual - expected) <= relative * expected)
    }
  }

  @Test func noScalingByFactorOneChangesAnything() throws {
    let plain = try RotaryScaling.none.spectrum(rotaryDimension: 64, base: 500_000)
    for scaling: RotaryScaling in [
      .linear(factor: 1), .dynamicNTK(factor: 1, trainedLength: 100, currentLength: 100),
      .yarn(factor: 1, trainedLength: 4096), .llama3(factor: 1),
    ] {
      let spectrum = try scaling.spectrum(rotaryDimension: 64, base: 500_000)
      #expect(spectrum.amplitude == 1, "\(scaling)")
      for (actual, expected) in zip(spectrum.frequencies, plain.frequencies) {
        #expect(abs(actual - expected) <= relative * expected, "\(scaling)")
      }
    }
  }
}
