import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Lists below this many bytes are made without asking.
private let fewestBytes = 64 << 10

/// Throws where the system has no memory for lists of so many bytes.
///
/// A Swift array stops the process where it cannot grow. Lists that grow with a caller's numbers are therefore asked for as one mapping, which is
/// given back at once. Another thread may take the memory before the lists do.
///
/// - Parameter bytes: of each of `count` numbers, in all lists of a call together.
func askForLists(of count: Int, _ bytes: Int, _ argument: String) throws(AttentionError) {
  let (size, overflow) = count.multipliedReportingOverflow(by: bytes)
  if !overflow, size < fewestBytes { return }
  let mapped =
    overflow ? MAP_FAILED : mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  guard let mapped, mapped != MAP_FAILED else {
    throw AttentionError(
      .outOfMemory, argument,
      "\(count) given, which ask for lists of \(bytes) bytes each, beyond this machine's memory")
  }
  munmap(mapped, size)
}
