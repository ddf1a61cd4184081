import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The bytes of a whole file, at one address for as long as this object lives.
///
/// `@unchecked Sendable`: the memory is written only inside the initialisers, before anyone else can have a reference, and
/// freed only in `deinit`, when nobody has one.
final class FileContents: @unchecked Sendable {
  /// All bytes; the first is aligned to 64 at least.
  let bytes: UnsafeRawBufferPointer

  private let isMapped: Bool

  /// Maps a regular file read-only.
  init(mapping path: String) throws(TensorFileError) {
    let descriptor = try openFile(path, O_RDONLY)
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw TensorFileError(path: path, failed: "read its size", code: errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw TensorFileError(path: path, reason: "not a regular file")
    }
    guard let count = Int(exactly: status.st_size), count > 0 else {
      throw TensorFileError(path: path, reason: "the file is empty")
    }
    guard let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
      throw TensorFileError(path: path, failed: "map \(count) bytes", code: errno)
    }
    self.bytes = UnsafeRawBufferPointer(start: base, count: count)
    self.isMapped = true
  }

  /// Copies bytes to aligned memory: an array's elements have no fixed address and are aligned to 16 at most.
  init(copying source: [UInt8]) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(source.count, 1), alignment: 64)
    copy.copyBytes(from: source)
    self.bytes = UnsafeRawBufferPointer(rebasing: copy[..<source.count])
    self.isMapped = false
  }

  /// Gives the whole pages of a range back to the system, which reads them again from the file if someone does. Bytes that were copied
  /// stay.
  func release(_ range: Range<Int>) {
    guard isMapped, let base = bytes.baseAddress else { return }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let begin = (range.lowerBound + page - 1) / page * page
    // The pages on the edges may belong to others, but what follows the last byte of the file belongs to nobody.
    let end = range.upperBound == bytes.count ? bytes.count : range.upperBound / page * page
    guard begin < end else { return }
    madvise(UnsafeMutableRawPointer(mutating: base) + begin, end - begin, MADV_DONTNEED)
  }

  deinit {
    guard let base = bytes.baseAddress else { return }
    if isMapped {
      munmap(UnsafeMutableRawPointer(mutating: base), bytes.count)
    } else {
      UnsafeMutableRawPointer(mutating: base).deallocate()
    }
  }
}

/// `open(2)`, started again where a signal interrupted it; a new file gets the permissions that the umask leaves of 0666.
func openFile(_ path: String, _ flags: Int32) throws(TensorFileError) -> Int32 {
  try refuseNUL(in: path)
  while true {
    // Without O_NONBLOCK, opening a FIFO would wait for its other end before it can be refused.
    let descriptor = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0o666)
    if descriptor >= 0 { return descriptor }
    let code = errno
    if code != EINTR { throw TensorFileError(path: path, failed: "open", code: code) }
  }
}

/// C reads a path up to its first NUL, and would use another file than the one that was named.
func refuseNUL(in path: String) throws(TensorFileError) {
  guard !path.utf8.contains(0) else {
    throw TensorFileError(path: path, reason: "a path cannot contain a NUL character")
  }
}
