import Attention
import CAttention

// A handle is a Swift object with one reference that C holds: _create takes it, _destroy gives it back. What an object needs it keeps alive
// by itself, so C may destroy handles in any order.

/// Makes a handle, where there is a place for it.
func make<Object: AnyObject>(
  _ target: UnsafeMutablePointer<OpaquePointer?>?, _ argument: String,
  _ body: () throws(AttentionError) -> Object
) -> attention_status {
  reporting { () throws(AttentionError) in
    let target = try target.required(argument)
    target.pointee = OpaquePointer(Unmanaged.passRetained(try body()).toOpaque())
  }
}

/// Gives a handle back.
func destroy<Object: AnyObject>(_ handle: OpaquePointer?, as _: Object.Type) {
  if let handle { Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).release() }
}

/// The object behind a handle.
func handle<Object: AnyObject>(
  _ handle: OpaquePointer?, as _: Object.Type, _ argument: String
) throws(AttentionError) -> Object {
  Unmanaged<Object>.fromOpaque(UnsafeRawPointer(try handle.required(argument))).takeUnretainedValue()
}

/// The objects behind several handles.
func handles<Object: AnyObject>(
  _ base: UnsafePointer<OpaquePointer?>?, _ count: Int64, as type: Object.Type, _ argument: String
) throws(AttentionError) -> [Object] {
  var objects: [Object] = []
  let given = try numbers(base, count, argument)
  try askForLists(of: given.count, 2 * MemoryLayout<Object>.stride, argument)
  for (index, each) in given.enumerated() {
    objects.append(try handle(each, as: type, "\(argument)[\(index)]"))
  }
  return objects
}

/// An embedding, which is a value in Swift.
final class RotaryHandle: Sendable {
  let rotary: RotaryEmbedding

  init(_ rotary: RotaryEmbedding) { self.rotary = rotary }
}
