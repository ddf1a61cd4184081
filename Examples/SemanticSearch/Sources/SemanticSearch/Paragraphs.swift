import Foundation
import Transformer

/// Lines of a file without an empty one between them.
struct Paragraph: Equatable {
  let file: String
  /// Its first line, from 1 on.
  let line: Int
  let text: String
}

/// The paragraphs of all text files in a folder and the folders in it, hidden ones excepted, in the order of their names.
///
/// - Parameter skipping: called with each file that is no text, and why.
func paragraphs(
  ofFolder folder: String, skipping: (String, String) -> Void
) throws(ModelError) -> [Paragraph] {
  let root = URL(fileURLWithPath: folder, isDirectory: true)
  var isFolder: ObjCBool = false
  guard FileManager.default.fileExists(atPath: root.path, isDirectory: &isFolder), isFolder.boolValue,
    let files = FileManager.default.enumerator(
      at: root, includingPropertiesForKeys: [.isRegularFileKey, .fileSizeKey],
      options: [.skipsHiddenFiles])
  else { throw ModelError(folder, "no such folder") }
  var result: [Paragraph] = []
  let urls = files.compactMap { $0 as? URL }.sorted { $0.path < $1.path }
  for url in urls {
    // Reading a pipe would wait for whoever writes into it, so only regular files are opened.
    let values = try? url.resourceValues(forKeys: [.isRegularFileKey, .fileSizeKey])
    guard values?.isRegularFile == true else { continue }
    guard (values?.fileSize ?? 0) <= 16 << 20 else {
      skipping(url.path, "larger than 16 MiB")
      continue
    }
    guard let data = try? Data(contentsOf: url) else {
      skipping(url.path, "it cannot be read")
      continue
    }
    guard let text = String(validating: data, as: UTF8.self), !data.contains(0) else {
      skipping(url.path, "not UTF-8 text")
      continue
    }
    result += paragraphs(of: text, file: url.path)
  }
  return result
}

/// The paragraphs of a file's text.
func paragraphs(of text: String, file: String) -> [Paragraph] {
  var result: [Paragraph] = []
  var lines: [Substring] = []
  var first = 1
  // An empty line at the end closes the last paragraph.
  let all = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) + ["" as Substring]
  for (number, line) in zip(1..., all) {
    if !line.allSatisfy(\.isWhitespace) {
      if lines.isEmpty { first = number }
      lines.append(line)
    } else if !lines.isEmpty {
      result.append(Paragraph(file: file, line: first, text: lines.joined(separator: "\n")))
      lines = []
    }
  }
  return result
}
