import Foundation
import LinearAlgebra
import TensorFiles
import Tensors
import TestSupport
import Transformer

/// A BERT of a few thousand random weights: its files, and what its formulas give in Double, written as they stand in the paper.
struct TinyBERT {
  var layers = 2
  var width = 12
  var heads = 3
  var inner = 20
  var positions = 16
  var activation = "gelu"
  var normEpsilon = 1e-12
  /// Tensors by their names in Hugging Face's files.
  var tensors: [String: Tensor<Float>] = [:]

  /// Words of two letters and a few pieces, after the special ones.
  static let tokens =
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + ["ab", "ba", "aa", "bb", "a", "b", "##a", "##b", "##ab", "##ba"]
  static let (cls, sep) = (2, 3)

  init(
    layers: Int = 2, width: Int = 12, heads: Int = 3, inner: Int = 20, activation: String = "gelu",
    seed: UInt64 = 1
  ) {
    (self.layers, self.width, self.heads, self.inner) = (layers, width, heads, inner)
    self.activation = activation
    var next = seed
    func random(_ name: String, _ shape: Shape, scale: Float, around centre: Float = 0) -> (
      String, Tensor<Float>
    ) {
      next += 1
      let numbers = Tensor<Float>.normal(shape, seed: next).elements.map { centre + scale * $0 }
      return (name, try! Tensor(numbers, shape: shape))
    }
    func add(_ entry: (String, Tensor<Float>)) { tensors[entry.0] = entry.1 }
    func norm(_ name: String) {
      add(random(name + ".weight", [width], scale: 0.1, around: 1))
      add(random(name + ".bias", [width], scale: 0.1))
    }
    func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
      add(random(name + ".weight", [outputs, inputs], scale: 1 / Float(inputs).squareRoot()))
      add(random(name + ".bias", [outputs], scale: 0.1))
    }
    add(random("embeddings.word_embeddings.weight", [Self.tokens.count, width], scale: 1))
    add(random("embeddings.position_embeddings.weight", [positions, width], scale: 0.5))
    add(random("embeddings.token_type_embeddings.weight", [2, width], scale: 0.5))
    norm("embeddings.LayerNorm")
    for layer in 0..<layers {
      let prefix = "encoder.layer.\(layer)."
      for part in ["query", "key", "value"] { linear(prefix + "attention.self." + part, width, width) }
      linear(prefix + "attention.output.dense", width, width)
      norm(prefix + "attention.output.LayerNorm")
      linear(prefix + "intermediate.dense", inner, width)
      linear(prefix + "output.dense", width, inner)
      norm(prefix + "output.LayerNorm")
    }
  }

  // MARK: - The formulas

  /// What the model makes of each token of a sequence.
  func states(_ tokens: [Int]) -> [[Double]] {
    func row(_ name: String, _ index: Int) -> [Double] {
      let numbers = tensors[name + ".weight"]!.selected(axis: 0, index)
      return numbers.elements.map(Double.init)
    }
    var x = tokens.enumerated().map { place, token in
      let parts = [
        row("embeddings.word_embeddings", token), row("embeddings.position_embeddings", place),
        row("embeddings.token_type_embeddings", 0),
      ]
      return norm("embeddings.LayerNorm", (0..<width).map { column in parts.reduce(0) { $0 + $1[column] } })
    }
    for layer in 0..<layers {
      let prefix = "encoder.layer.\(layer)."
      let attended = attention(prefix, x)
      x = zip(x, attended).map { old, new in
        norm(prefix + "attention.output.LayerNorm", sum(old, linear(prefix + "attention.output.dense", new)))
      }
      x = x.map { old in
        let opened = linear(prefix + "intermediate.dense", old).map(activate)
        return norm(prefix + "output.LayerNorm", sum(old, linear(prefix + "output.dense", opened)))
      }
    }
    return x
  }

  private func attention(_ prefix: String, _ x: [[Double]]) -> [[Double]] {
    func part(_ name: String) -> [[Double]] { x.map { linear(prefix + "attention.self." + name, $0) } }
    let (queries, keys, values) = (part("query"), part("key"), part("value"))
    let depth = width / heads
    return queries.map { query in
      (0..<heads).flatMap { head -> [Double] in
        let columns = head * depth..<(head + 1) * depth
        let weights = keys.map { key in
          exp(columns.reduce(0) { $0 + query[$1] * key[$1] } / Double(depth).squareRoot())
        }
        let total = weights.reduce(0, +)
        return columns.map { column in
          zip(weights, values).reduce(0) { $0 + $1.0 / total * $1.1[column] }
        }
      }
    }
  }

  private func linear(_ name: String, _ x: [Double]) -> [Double] {
    let weight = tensors[name + ".weight"]!
    let numbers = weight.elements
    let bias = tensors[name + ".bias"]!.elements
    return bias.indices.map { output in
      x.indices.reduce(Double(bias[output])) { $0 + Double(numbers[output * x.count + $1]) * x[$1] }
    }
  }

  private func norm(_ name: String, _ x: [Double]) -> [Double] {
    let (weight, bias) = (tensors[name + ".weight"]!.elements, tensors[name + ".bias"]!.elements)
    let mean = x.reduce(0, +) / Double(x.count)
    let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count)
    return x.indices.map {
      (x[$0] - mean) / (variance + normEpsilon).squareRoot() * Double(weight[$0]) + Double(bias[$0])
    }
  }

  private func sum(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 + $1 } }

  private func activate(_ x: Double) -> Double {
    switch activation {
    case "gelu": x / 2 * (1 + erf(x / 2.0.squareRoot()))
    case "gelu_new": x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    default: x / (1 + exp(-x))
    }
  }
}
