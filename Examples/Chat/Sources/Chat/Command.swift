import Foundation
import Synchronization
import Transformer

/// `Chat [MODEL]`: talks with a chat model. `/reset` starts anew, Ctrl-C stops an answer, Ctrl-D ends.
@main
struct Command {
  /// What Ctrl-C does depends on what is going on.
  private enum Activity: Int, AtomicRepresentable { case listening, answering, stopping }
  private static let activity = Atomic(Activity.listening)

  static func main() {
    do {
      let path = CommandLine.arguments.dropFirst().first ?? "Models/smollm2-135m-instruct/model.gguf"
      let model = try LanguageModel(path: path, weights: .bfloat16)
      let sampling = SamplingOptions(
        temperature: 0.2, topP: 0.9, repetitionPenalty: 1.1, seed: .random(in: 0 ... .max))
      let conversation = try Conversation(model, sampling)
      catchInterrupts()
      while let line = nextLine() {
        if line.allSatisfy(\.isWhitespace) { continue }
        if line == "/reset" {
          try conversation.reset()
          continue
        }
        do {
          activity.store(.answering, ordering: .relaxed)
          defer { activity.store(.listening, ordering: .relaxed) }
          try conversation.answer(line, shouldGoOn: { activity.load(ordering: .relaxed) == .answering }) {
            show($0)
          }
          show("\n")
        } catch {
          // Most often the conversation is too long, and that is no reason to end the program.
          complain("\(error); /reset starts anew")
        }
      }
    } catch {
      complain("Chat: \(error)")
      exit(1)
    }
  }

  /// A first Ctrl-C stops the answer; one without an answer, or a second one, ends the program as usual.
  private static func catchInterrupts() {
    _ = activity.load(ordering: .relaxed)  // Made here: a handler of signals must not be the first to use it.
    signal(SIGINT) { _ in
      let (isStopped, _) = Command.activity.compareExchange(
        expected: .answering, desired: .stopping, ordering: .relaxed)
      if !isStopped { _exit(130) }
    }
  }

  /// A line of the person, nil at the end of the input. Nobody waits for a prompt in a pipe.
  private static func nextLine() -> String? {
    if isatty(STDIN_FILENO) == 1 { show("> ") }
    return readLine()
  }

  private static func show(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

  private static func complain(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
  }
}
