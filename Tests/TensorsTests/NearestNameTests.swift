import Tensors
import Testing

@Suite struct NearestNameTests {
  private let names = ["pytorch", "onnxruntime", "openvino", "numpy"]

  @Test(
    arguments: [
      ("pytroch", "pytorch"), ("PyTorch", "pytorch"), ("torch", "pytorch"), ("onnx-runtime", "onnxruntime"),
      ("openvion", "openvino"), ("nunpy", "numpy"), ("numpy", "numpy"),
    ])
  func aMisspeltNameHasANearestOne(given: String, expected: String) {
    #expect(nearestName(to: given, among: names) == expected)
  }

  @Test(arguments: ["", "tensorflow", "x", "🧮", String(repeating: "pytorch", count: 1000)])
  func whatIsLikeNothingHasNone(given: String) {
    #expect(nearestName(to: given, among: names) == nil)
  }

  @Test func theFirstOfEqualsIsTaken() {
    #expect(nearestName(to: "ac", among: ["ab", "aa"]) == "ab")
    #expect(nearestName(to: "a", among: []) == nil)
  }
}
