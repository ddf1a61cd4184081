import Tensors
public protocol BLASScalar: FloatingPointElement {}
extension Float: BLASScalar {}
extension Double: BLASScalar {}
