#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Writes a file under a temporary name beside `path` and renames it when it is complete and on disk.
///
/// `write` gets a function that appends bytes. Whatever fails, the temporary file is removed and `path` is as it was.
package func replaceFile(
  at path: String,
  _ write: ((UnsafeRawBufferPointer) throws(TensorFileError) -> Void) throws(TensorFileError) -> Void
) throws(TensorFileError) {
  try refuseNUL(in: path)
  var status = stat()
  // A rename would put a file where a device or a FIFO was, /dev/null for instance.
  if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
    throw TensorFileError(path: path, reason: "not a regular file")
  }
  let (descriptor, temporary) = try openTemporaryFile(beside: path)
  do throws(TensorFileError) {
    try fill(descriptor, path: path, write)
    guard rename(temporary, path) == 0 else {
      throw TensorFileError(path: path, failed: "rename the new file to it", code: errno)
    }
  } catch {
    unlink(temporary)
    throw error
  }
}

/// Writes and closes the file. `close` can report a write that failed late, on network file systems for instance.
private func fill(
  _ descriptor: Int32, path: String,
  _ write: ((UnsafeRawBufferPointer) throws(TensorFileError) -> Void) throws(TensorFileError) -> Void
) throws(TensorFileError) {
  do throws(TensorFileError) {
    try write { (bytes) throws(TensorFileError) in try writeAll(bytes, to: descriptor, path: path) }
    guard fsync(descriptor) == 0 else {
      throw TensorFileError(path: path, failed: "flush to disk", code: errno)
    }
  } catch {
    close(descriptor)
    throw error
  }
  guard close(descriptor) == 0 else { throw TensorFileError(path: path, failed: "close", code: errno) }
}

/// A new file in the directory of `path`, so that a rename does not cross file systems.
private func openTemporaryFile(beside path: String) throws(TensorFileError) -> (Int32, path: String) {
  let directory = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
  // Not mkstemp: it makes files that only their owner can read, and the umask cannot be read without setting it.
  let suffix = String(UInt64.random(in: 0 ... .max), radix: 16)
  let temporary = "\(directory).safetensors-\(getpid())-\(suffix)"
  do throws(TensorFileError) {
    return (try openFile(temporary, O_WRONLY | O_CREAT | O_EXCL), temporary)
  } catch {
    // The name that the caller gave says more than one it never heard of.
    throw TensorFileError(path: path, reason: "in its directory: \(error.reason)")
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
