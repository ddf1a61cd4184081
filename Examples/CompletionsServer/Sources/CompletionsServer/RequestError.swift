import NIOHTTP1
import Transformer

/// Why a request is refused: a status, and what OpenAI's clients show.
struct RequestError: Error, CustomStringConvertible {
  let status: HTTPResponseStatus
  let message: String
  /// The field of the request that is at fault.
  var field: String?
  var code: String?
  /// With 405, what is allowed.
  var allowed: HTTPMethod?

  var description: String { message }

  /// 400: the request is wrong, in this field.
  static func invalid(_ field: String?, _ message: String) -> RequestError {
    RequestError(status: .badRequest, message: field.map { "\($0): \(message)" } ?? message, field: field)
  }

  /// 400: what the library refuses is what the request asked for.
  static func refused(_ error: ModelError) -> RequestError {
    RequestError(status: .badRequest, message: error.description)
  }

  /// OpenAI's form of an error.
  var json: JSONObject {
    let type = status.code < 500 ? "invalid_request_error" : "server_error"
    return [
      "error": ["message": message, "type": type, "param": orNull(field), "code": orNull(code)] as JSONObject
    ]
  }
}
