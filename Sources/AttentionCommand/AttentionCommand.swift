import ArgumentParser
import CAttention
import TensorFiles

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The `attention` executable: its name, its version and its subcommands.
///
/// Exit codes: 0 for success, 64 for a command line that makes no sense, 1 for everything that goes wrong with a file or
/// a computation. Errors are one line on stderr; results go to files, whole or not at all.
struct AttentionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attention",
    abstract: "Attention on CPUs, for tensors in safetensors files and for language models.",
    discussion: """
      Exit codes: 0; 64 for a command line that no file could make right; 1 for all else.

      EXAMPLES:
        attention run case.safetensors -o out.safetensors
        attention inspect case.safetensors --svg heads.svg
        attention embed all-minilm-l6-v2 --similar 10 < sentences.txt
        attention generate model.gguf "The capital of France is"
      """,
    version: ATTENTION_VERSION,
    subcommands: [RunCommand.self, InspectCommand.self, EmbedCommand.self, GenerateCommand.self])

  static func main() {
    removeTemporaryFilesOnSignals()
    // A file that may not become as large is then an error like a full disk, not the end.
    signal(SIGXFSZ, SIG_IGN)
    main(nil)
  }
}

/// Runs the command line of this process, and ends it.
///
/// A function of a library, so that whatever tests or attacks the command links its insides without its process.
package func runAttentionCommand() { AttentionCommand.main() }
