import Foundation

/// The reading end of a pipe, read without waiting.
struct LinePipe {
  private let handle: FileHandle
  private var bytes = Data()
  private(set) var hasEnded = false

  init(_ handle: FileHandle) {
    self.handle = handle
    let flags = fcntl(handle.fileDescriptor, F_GETFL)
    _ = fcntl(handle.fileDescriptor, F_SETFL, flags | O_NONBLOCK)
  }

  var descriptor: Int32 { handle.fileDescriptor }
  var buffered: Int { bytes.count }

  /// What is there, at most 64 KiB: a writer that never stops shall not keep us.
  mutating func read() {
    if hasEnded { return }
    let (count, chunk) = withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 1) { room in
      let count = Glibc.read(descriptor, room.baseAddress, room.count)
      return (count, Data(room.prefix(max(count, 0))))
    }
    bytes += chunk
    if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { hasEnded = true }
  }

  /// The first line, taken out, without its end; nil where there is none yet.
  mutating func takeLine() -> Data? {
    guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    let line = Data(bytes[bytes.startIndex..<end])
    bytes = Data(bytes[(end + 1)...])
    return line
  }

  /// Forgets all but the last bytes.
  mutating func keepLast(_ count: Int) { bytes = Data(bytes.suffix(count)) }

  /// The last line that says something.
  var lastLine: String? {
    String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
      .last { !$0.allSatisfy(\.isWhitespace) }.map(String.init)
  }
}
