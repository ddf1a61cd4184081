import Foundation

/// An object that is written as JSON.
typealias JSONObject = [String: Any]

/// A value, or JSON's null.
func orNull(_ value: Any?) -> Any { value ?? NSNull() }

/// An object's text, on one line and the same for equal objects.
func text(of object: JSONObject) -> String {
  // It fails for objects that are no JSON, and those that we write are.
  let data = try? JSONSerialization.data(
    withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
  return String(decoding: data ?? Data("{}".utf8), as: UTF8.self)
}
