extension BLASRuntime {
  /// The most multiplications, `m·n·k`, that OpenBLAS's kernels for small matrices take, or nil where it has none.
  ///
  /// OpenBLAS copies both operands into packed buffers before it multiplies. Its AVX-512 cores also have kernels that read
  /// row-major operands where they lie, for products of up to 100³; on tiles of attention's shapes they run some 15 % faster, so
  /// a larger product pays for being cut into row strips. On other cores each strip would pack the right operand anew.
  public static let smallProductLimit: Int? =
    ["SkylakeX", "Cooperlake", "SapphireRapids"].contains(coreName) ? 1_000_000 : nil
}
