// The headers document what is public here.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import Attention
import CAttention

@c @implementation
public func attention_dense(
  _ data: UnsafeMutableRawPointer?, _ type: attention_type, _ rank: Int32, _ shape: UnsafePointer<Int64>?
) -> attention_tensor {
  var result = attention_tensor()
  result.data = data
  result.type = type
  // What is wrong with it, whoever takes it says.
  result.rank = rank
  guard let shape, (1...4).contains(rank) else { return result }
  withUnsafeMutableBytes(of: &result.shape) { target in
    target.copyMemory(
      from: UnsafeRawBufferPointer(start: shape, count: Int(rank) * MemoryLayout<Int64>.stride))
  }
  withUnsafeMutableBytes(of: &result.strides) { bytes in
    let strides = bytes.assumingMemoryBound(to: Int64.self)
    var step: Int64 = 1
    for axis in (0..<Int(rank)).reversed() {
      strides[axis] = step
      step = step.multipliedReportingOverflow(by: max(1, shape[axis])).partialValue
    }
  }
  return result
}

@c @implementation
public func attention_merge(
  _ outputs: UnsafePointer<attention_tensor>?, _ log_sum_exps: UnsafePointer<attention_tensor>?,
  _ count: Int64,
  _ output: UnsafePointer<attention_tensor>?, _ log_sum_exp: UnsafePointer<attention_tensor>?
) -> attention_status {
  reporting { () throws(AttentionError) in
    let target = try Operand(output, "output")
    try target.withFloatType(
      Merge(
        outputs: try operands(outputs, count, "outputs"),
        logSumExps: try operands(log_sum_exps, count, "log_sum_exps"), output: target,
        logSumExp: try Operand(log_sum_exp, "log_sum_exp")))
  }
}

private func operands(
  _ base: UnsafePointer<attention_tensor>?, _ count: Int64, _ argument: String
) throws(AttentionError) -> [Operand] {
  var operands: [Operand] = []
  let described = try numbers(base, count, argument)
  try askForLists(of: described.count, 2 * MemoryLayout<Operand>.stride, argument)
  for (index, tensor) in described.enumerated() {
    operands.append(try Operand(tensor, "\(argument)[\(index)]"))
  }
  return operands
}

private struct Merge: ForEachFloatType {
  let outputs: [Operand]
  let logSumExps: [Operand]
  let output: Operand
  let logSumExp: Operand

  func callAsFunction<Element: AttentionElement>(_ type: Element.Type) throws(AttentionError) {
    let (target, sums) = (try output.view(of: type), try logSumExp.view(of: Element.Accumulator.self))
    var parts: [(output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>)] = []
    for (output, logSumExp) in zip(outputs, logSumExps) {
      guard output.shape == outputs[0].shape else {
        throw output.refused(shape: "\(outputs[0].shape) as outputs[0]")
      }
      let rows = Shape(output.shape.dropLast())
      guard logSumExp.shape == rows else {
        throw logSumExp.refused(shape: "\(rows) for \(output.argument) \(output.shape)")
      }
      parts.append((try output.tensor(as: type), try logSumExp.tensor(as: Element.Accumulator.self)))
    }
    // Before anything is computed: results of another shape are none.
    try checkResult(target, "output", outputs.first?.shape ?? target.shape)
    try checkResult(sums, "log_sum_exp", Shape(target.shape.dropLast()))
    let merged = try naming("parts", "outputs") { () throws(AttentionError) in try mergeAttention(parts) }
    try target.assign(from: merged.output)
    try sums.assign(from: merged.logSumExp)
  }
}

@c @implementation
public func attention_quantize(
  _ numbers: UnsafePointer<attention_tensor>?, _ integers: UnsafePointer<attention_tensor>?,
  _ scales: UnsafePointer<attention_tensor>?
) -> attention_status {
  reporting { () throws(AttentionError) in
    let numbers = try Operand(numbers, "numbers")
    guard numbers.shape.count >= 2, numbers.shape.last != 0 else {
      throw numbers.refused(shape: "2 to 4 axes, the last one of columns")
    }
    let target = try Operand(integers, "integers").view(of: Int8.self)
    let targetScales = try Operand(scales, "scales").view(of: Float.self)
    try checkResult(target, "integers", numbers.shape)
    try checkResult(targetScales, "scales", Shape(numbers.shape.dropLast()))
    let rounded = try numbers.withFloatType(Quantize(numbers: numbers))
    try target.assign(from: rounded.integers)
    try targetScales.assign(from: rounded.scales)
  }
}

private struct Quantize: ForEachFloatType {
  let numbers: Operand

  func callAsFunction<Element: AttentionElement>(_ type: Element.Type) throws(AttentionError)
    -> QuantizedTensor
  {
    let numbers = try numbers.tensor(as: type)
    return try naming("tensor", "numbers") { () throws(AttentionError) in
      try QuantizedTensor(quantizing: numbers)
    }
  }
}

/// Throws where a result's memory has another shape, or not a place for each element.
private func checkResult<Element>(
  _ view: MutableTensorView<Element>, _ argument: String, _ shape: Shape
) throws(AttentionError) {
  guard view.shape == shape else {
    throw AttentionError(argument, "shape \(view.shape) given, expected \(shape)")
  }
  guard !view.mayOverlap else {
    throw AttentionError(
      argument, "strides \(view.strides) of shape \(shape) given, expected a place for each element")
  }
}
