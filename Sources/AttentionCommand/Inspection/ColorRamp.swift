import Foundation

/// Colours from nearly white to dark blue, equal steps of which look equal.
///
/// Lightness falls linearly in Oklab, a space made so that its distances are those that eyes see (Ottosson 2020, "A
/// perceptual color space for image processing"). Hue wanders from yellow over green to blue, and colourfulness rises and
/// falls a little: more colours can be told apart than shades of one. In print and to colour-blind eyes the lightness
/// alone still tells the order.
enum ColorRamp {
  /// Colours that are told apart: with more of them neighbours look alike, and files grow.
  static let levels = 48

  /// What is not a number.
  static let nonFinite = "#d6336c"

  /// All colours in order, as `#rrggbb`.
  static let colors: [String] = (0..<levels).map { color(Double($0) / Double(levels - 1)) }

  /// The level of a number from 0 to 1: the square root spreads what is small, where most weights are.
  static func level(of share: Double) -> Int {
    min(levels - 1, max(0, Int((share.squareRoot() * Double(levels - 1)).rounded())))
  }

  /// The colour at a place from 0 to 1.
  private static func color(_ place: Double) -> String {
    let lightness = 0.975 - 0.70 * place
    let chroma = 0.01 + 0.13 * sin(0.86 * .pi * pow(place, 0.8))
    let hue = (105 + 165 * place) * .pi / 180
    return hex(lightness, chroma * cos(hue), chroma * sin(hue))
  }

  /// Oklab to sRGB, by the matrices of the paper.
  private static func hex(_ lightness: Double, _ a: Double, _ b: Double) -> String {
    let long = lightness + 0.3963377774 * a + 0.2158037573 * b
    let medium = lightness - 0.1055613458 * a - 0.0638541728 * b
    let short = lightness - 0.0894841775 * a - 1.2914855480 * b
    let (l, m, s) = (long * long * long, medium * medium * medium, short * short * short)
    let linear = [
      4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
    ]
    let bytes = linear.map { channel -> Int in
      let clipped = min(1, max(0, channel))
      let encoded = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * pow(clipped, 1 / 2.4) - 0.055
      return Int((255 * encoded).rounded())
    }
    return "#" + bytes.map { String(format: "%02x", $0) }.joined()
  }
}
