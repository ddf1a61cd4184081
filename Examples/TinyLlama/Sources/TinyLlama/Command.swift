import Attention
import Foundation
import Llama

/// `TinyLlama [token ...]`: prints the 64 tokens that the model continues a prompt with.
@main
struct Command {
  /// "This License", with the token that every text begins with.
  static let defaultPrompt = [0, 53, 675, 326, 222]

  static func main() {
    do {
      let tokens = try continuation(CommandLine.arguments.dropFirst())
      print(tokens.map(String.init).joined(separator: " "))
    } catch {
      FileHandle.standardError.write(Data("\(error)\n".utf8))
      exit(1)
    }
  }

  private static func continuation(_ arguments: ArraySlice<String>) throws -> [Int] {
    let prompt = try arguments.map { argument in
      guard let token = Int(argument) else {
        throw AttentionError("token", "\(argument) given, expected a number")
      }
      return token
    }
    let model = try Llama(folder: Llama.modelFolder)
    return try model.continuation(of: prompt.isEmpty ? defaultPrompt : prompt, count: 64)
  }
}
