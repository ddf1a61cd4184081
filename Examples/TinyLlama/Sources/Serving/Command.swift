import Attention
import Llama

/// Answers 50 requests with one pool, and prints how each goes on.
@main
struct Command {
  static func main() throws {
    let model = try Llama(folder: Llama.modelFolder)
    // Less than all 50 need at once: some wait.
    let pool = try model.makePool(keys: .int8, values: .int8, pages: 160)
    var requests = (0..<50).map { Request(prompt: [0, 53, 675, 326, 222] + [100 + $0 % 7]) }
    try answer(&requests, length: 16, model, pool)
    for request in requests { print(request.prompt.last!, request.reply) }
  }
}
