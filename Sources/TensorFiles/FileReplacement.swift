import CTensorFiles

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Appends bytes to the file that is written.
package typealias FileSink = (UnsafeRawBufferPointer) throws(TensorFileError) -> Void

/// Writes a file beside `path` and gives it that name when it is complete and on disk.
///
/// The file has no name until then, where the file system can make such files (`O_TMPFILE`): whatever ends the process, even SIGKILL,
/// leaves nothing behind. Only where `path` exists already does it get a temporary name first, for the moment between two system calls,
/// since Linux replaces a file by another name alone. File systems without such files see the temporary name from the start;
/// ``removeTemporaryFilesOnSignals()`` removes either on signals. Whatever fails, `path` is as it was.
///
/// - Parameters:
///   - path: the file to make or replace.
///   - isNamed: whether the file has a temporary name from the start, also where it need not.
///   - write: writes all bytes. It is called once more where the first file cannot be named, and must write the same then.
package func replaceFile(
  at path: String, isNamed: Bool = false, _ write: (FileSink) throws(TensorFileError) -> Void
) throws(TensorFileError) {
  try refuseNUL(in: path)
  var status = stat()
  // A rename would put a file where a device or a FIFO was, /dev/null for instance.
  if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
    throw TensorFileError(path: path, reason: "not a regular file")
  }
  if !isNamed, try replaceByUnnamedFile(at: path, write) { return }
  let temporary = TemporaryName(beside: path)
  defer { temporary.forget() }
  let descriptor = try temporary.create(for: path)
  do throws(TensorFileError) {
    try fill(descriptor, path: path, write)
    try temporary.move(to: path)
  } catch {
    unlink(temporary.path)
    throw error
  }
}

/// From now on SIGINT, SIGTERM and SIGHUP remove the files that ``replaceFile(at:isNamed:_:)`` has not finished, then end the process.
///
/// For executables, at their start. Signals that are ignored stay ignored.
package func removeTemporaryFilesOnSignals() { CTensorFiles_removeOnSignals() }

// MARK: - Unnamed files

/// Replaces `path` by a file that has no name while it is written.
///
/// - Returns: false where the file system cannot, and nothing has happened.
private func replaceByUnnamedFile(
  at path: String, _ write: (FileSink) throws(TensorFileError) -> Void
) throws(TensorFileError) -> Bool {
  let directory = directory(of: path)
  let descriptor = CTensorFiles_openUnnamed(directory.isEmpty ? "." : directory)
  guard descriptor >= 0 else { return false }
  defer { close(descriptor) }
  try writeToDisk(descriptor, path: path, write)
  var code = CTensorFiles_linkUnnamed(descriptor, path)
  if code == EEXIST {
    let temporary = TemporaryName(beside: path)
    defer { temporary.forget() }
    code = CTensorFiles_linkUnnamed(descriptor, temporary.path)
    if code == 0 {
      do throws(TensorFileError) {
        try temporary.move(to: path)
      } catch {
        unlink(temporary.path)
        throw error
      }
    }
  }
  // Some file systems make such files and cannot name them.
  return code == 0
}

// MARK: - Named files

/// A name in the directory of a path, so that a rename does not cross file systems, removed on signals until it is forgotten.
private struct TemporaryName {
  let path: String
  private let place: Int32

  init(beside path: String) {
    // Not mkstemp: it makes files that only their owner can read, and the umask cannot be read without setting it.
    let suffix = String(UInt64.random(in: 0 ... .max), radix: 16)
    self.path = "\(directory(of: path)).safetensors-\(getpid())-\(suffix)"
    place = CTensorFiles_noteFile(self.path)
  }

  /// Makes the file that will be `path`.
  func create(for path: String) throws(TensorFileError) -> Int32 {
    do throws(TensorFileError) {
      return try openFile(self.path, O_WRONLY | O_CREAT | O_EXCL)
    } catch {
      // The name that the caller gave says more than one it never heard of.
      throw TensorFileError(path: path, reason: "in its directory: \(error.reason)")
    }
  }

  func move(to path: String) throws(TensorFileError) {
    guard rename(self.path, path) == 0 else {
      throw TensorFileError(path: path, failed: "rename the new file to it", code: errno)
    }
  }

  func forget() { CTensorFiles_forgetFile(place) }
}

/// What stands before the last part of a path, with its slash; empty where there is nothing.
private func directory(of path: String) -> String {
  path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
}

// MARK: - Writing

/// Writes and closes the file. `close` can report a write that failed late, on network file systems for instance.
private func fill(
  _ descriptor: Int32, path: String, _ write: (FileSink) throws(TensorFileError) -> Void
) throws(TensorFileError) {
  do throws(TensorFileError) {
    try writeToDisk(descriptor, path: path, write)
  } catch {
    close(descriptor)
    throw error
  }
  guard close(descriptor) == 0 else { throw TensorFileError(path: path, failed: "close", code: errno) }
}

private func writeToDisk(
  _ descriptor: Int32, path: String, _ write: (FileSink) throws(TensorFileError) -> Void
) throws(TensorFileError) {
  try write { (bytes) throws(TensorFileError) in try writeAll(bytes, to: descriptor, path: path) }
  guard fsync(descriptor) == 0 else {
    throw TensorFileError(path: path, failed: "flush to disk", code: errno)
  }
}

/// `write(2)` until all bytes are written: it may take fewer at a time, or none where a signal interrupts it.
package func writeAll(
  _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String
) throws(TensorFileError) {
  var rest = bytes[...]
  while !rest.isEmpty {
    let count = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
    if count >= 0 {
      rest = rest.dropFirst(count)
    } else if errno != EINTR {
      throw TensorFileError(path: path, failed: "write", code: errno)
    }
  }
}
