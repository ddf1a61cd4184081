import Tensors
import TensorFiles

/// What blocks of GGUF weights mean, written down weight by weight: bits are picked one at a time by their place in the block.
enum GGUFBlocks {
  /// All weights of these bytes.
  static func weights(_ bytes: [UInt8], _ type: GGUFTensorType) -> [Float] {
    stride(from: 0, to: bytes.count, by: type.blockByteCount).flatMap { start in
      let block = Block(bytes: bytes[start..<start + type.blockByteCount])
      return (0..<type.blockSize).map { block.weight($0, type) }
    }
  }

  private struct Block {
    let bytes: ArraySlice<UInt8>

    func byte(_ place: Int) -> Int { Int(bytes[bytes.startIndex + place]) }

    /// `count` bits of the byte at `place`, from bit `low` on.
    func bits(_ place: Int, _ low: Int, _ count: Int) -> Int { byte(place) / (1 << low) % (1 << count) }

    func signed(_ place: Int) -> Int { byte(place) - (byte(place) > 127 ? 256 : 0) }

    func half(_ place: Int) -> Float {
      Float(Float16(bitPattern: UInt16(byte(place) + 256 * byte(place + 1))))
    }

    /// The 4 bits of weight `i` of 32: in the low half of byte i, or the high one of byte i − 16.
    func nibble(_ i: Int, at place: Int) -> Int { bits(place + i % 16, i / 16 * 4, 4) }

    /// The bit of weight `i` among bits in order.
    func bit(_ i: Int, at place: Int) -> Int { bits(place + i / 8, i % 8, 1) }

    func weight(_ i: Int, _ type: GGUFTensorType) -> Float {
      switch type {
      case .f32:
        return Float(bitPattern: (0..<4).reduce(0) { $0 + UInt32(byte($1)) << (8 * UInt32($1)) })
      case .f16: return half(0)
      case .bf16: return Float(bitPattern: UInt32(byte(0) + 256 * byte(1)) << 16)
      case .q8_0: return half(0) * Float(signed(2 + i))
      case .q4_0: return half(0) * Float(nibble(i, at: 2) - 8)
      case .q4_1: return added(half(0) * Float(nibble(i, at: 4)), half(2))
      case .q5_0: return half(0) * Float(nibble(i, at: 6) + 16 * bit(i, at: 2) - 16)
      case .q5_1: return added(half(0) * Float(nibble(i, at: 8) + 16 * bit(i, at: 4)), half(2))
      case .q4_K: return offset(i, quant: bits(16 + i / 64 * 32 + i % 32, i / 32 % 2 * 4, 4))
      case .q5_K:
        let low = bits(48 + i / 64 * 32 + i % 32, i / 32 % 2 * 4, 4)
        return offset(i, quant: low + 16 * bits(16 + i % 32, i / 32, 1))
      case .q6_K:
        // Two halves of 128; in each, quarters of 32.
        let (part, quarter, j) = (i / 128, i / 32 % 4, i % 32)
        let low = bits(64 * part + quarter % 2 * 32 + j, quarter / 2 * 4, 4)
        let high = bits(128 + 32 * part + j, quarter * 2, 2)
        return half(208) * Float(signed(192 + i / 16)) * Float(low + 16 * high - 32)
      }
    }

    /// The weight of a block of 256 with 6-bit scales and minima from byte 4 on, by the group of 32.
    private func offset(_ i: Int, quant: Int) -> Float {
      let group = i / 32
      let (scale, minimum) =
        group < 4
        ? (bits(4 + group, 0, 6), bits(8 + group, 0, 6))
        : (
          bits(8 + group, 0, 4) + 16 * bits(group, 6, 2), bits(8 + group, 4, 4) + 16 * bits(4 + group, 6, 2)
        )
      return added(half(0) * Float(scale) * Float(quant), -(half(2) * Float(minimum)))
    }

    /// Apart, so that no compiler makes one operation of a product and this sum.
    @inline(never)
    private func added(_ product: Float, _ other: Float) -> Float { product + other }
  }
}

// MARK: - A file by another writer

extension GGUFBlocks {
  /// Of each tensor in ``foreignFile``, its name, shape and the hash of its floats.
  static let foreignHashes: [(name: String, shape: Shape, hash: UInt64)] = [
    ("F32", [2, 32], 0x1462_40B0_3847_7E64), ("F16", [2, 32], 0x5EFB_9395_D11F_90EB),
    ("BF16", [2, 32], 0xE2B6_5EDB_FFBF_6D4C), ("Q8_0", [2, 32], 0xD822_5F62_20ED_FFD1),
    ("Q4_0", [2, 32], 0xE98F_2EA7_661D_D80D), ("Q4_1", [2, 32], 0xEC92_B9E0_FC9F_38C9),
    ("Q5_0", [2, 32], 0x62C1_AF57_6F61_9756), ("Q5_1", [2, 32], 0xB228_B399_7A32_2637),
    ("Q4_K", [2, 256], 0x8E06_742D_AC8F_69EB), ("Q5_K", [2, 256], 0xE9D6_768A_A9B2_2049),
    ("Q6_K", [2, 256], 0x023B_0229_2ED2_8826),
  ]

  /// Random blocks with finite scales, two rows of each type, in base64.
  static let foreignFile = """
    R0dVRgMAAAALAAAAAAAAAAYAAAAAAAAAFAAAAAAAAABnZW5lcmFsLmFyY2hpdGVjdHVyZQgAAAAEAAAAAAAAAG5vbmUVAAAAAAAA\
    AHRva2VuaXplci5nZ21sLnRva2VucwkAAAAIAAAAAwAAAAAAAAABAAAAAAAAAGEGAAAAAAAAAMOp8J+YgAAAAAAAAAAAFQAAAAAA\
    AAB0b2tlbml6ZXIuZ2dtbC5zY29yZXMJAAAABgAAAAMAAAAAAAAAAAAAPwAAgL8AAABAAwAAAAAAAABlcHMGAAAArMUnNwEAAAAA\
    AAAAbgQAAAAHAAAAAwAAAAAAAAB5ZXMHAAAAAQMAAAAAAAAARjMyAgAAACAAAAAAAAAAAgAAAAAAAAAAAAAAAAAAAAAAAAADAAAA\
    AAAAAEYxNgIAAAAgAAAAAAAAAAIAAAAAAAAAAQAAAAABAAAAAAAABAAAAAAAAABCRjE2AgAAACAAAAAAAAAAAgAAAAAAAAAeAAAA\
    gAEAAAAAAAAEAAAAAAAAAFE4XzACAAAAIAAAAAAAAAACAAAAAAAAAAgAAAAAAgAAAAAAAAQAAAAAAAAAUTRfMAIAAAAgAAAAAAAA\
    AAIAAAAAAAAAAgAAAGACAAAAAAAABAAAAAAAAABRNF8xAgAAACAAAAAAAAAAAgAAAAAAAAADAAAAoAIAAAAAAAAEAAAAAAAAAFE1\
    XzACAAAAIAAAAAAAAAACAAAAAAAAAAYAAADgAgAAAAAAAAQAAAAAAAAAUTVfMQIAAAAgAAAAAAAAAAIAAAAAAAAABwAAACADAAAA\
    AAAABAAAAAAAAABRNF9LAgAAAAABAAAAAAAAAgAAAAAAAAAMAAAAYAMAAAAAAAAEAAAAAAAAAFE1X0sCAAAAAAEAAAAAAAACAAAA\
    AAAAAA0AAACABAAAAAAAAAQAAAAAAAAAUTZfSwIAAAAAAQAAAAAAAAIAAAAAAAAADgAAAOAFAAAAAAAAAE7MQCIQ+ukgZ3oNiIqs\
    0Dt8ZAyT3sv7mdPrULKwKVgDjfFJON973iFUN8gi0zyfqTWKOYg3FQcSdkPxipTdOCFZ0CKBTKfFsrHzvLpcwzObkCRLmlZVdho7\
    OU8h23TqgtWKmDFjE7CpEy+aunejegL/WRCbKOBRI37sBRl+9ryJ12RkO1HAnKvCp4Axv3wrgwK397CZoxWRnt7TkmIykIg343W7\
    ACgdu981lyJou1owKhrxCudFwYkbo+iSANTOO9sF2LuMOHAaQn+mqTLKcpMK74S4lrM8OPVjjpOzJ12JiD/+oleSCZpRGKOz0GT2\
    IFFKWoMTHJIzPbeJq7n38gJDA7sD0yNHEdkCAbkum1yhjjqtCRMaESqRsaw51xjPIW0ohZu2OWGoliqfE/opxDMxIVCQ6ivEokGB\
    97o3A5czX7iJmCyRdwgFuK8oHJhlM3E6JzHCqoIYmRkcuooZCjjumckShyv4o3MjF6CdAYay4jP0ugS43RIssCygrhBSALGIigqj\
    MOooGqMGAeorFrvCiP4SS7KvMYMw1JHwueewcRJLm9+5/gl3gEg74oC3CFWgBDEHAYyYsZO7Ek0qf5JesCgBC5oHC0OCyappmD8R\
    5bkeC7EA2BIpilKCMRM0KFkBuTtvAksCQDqlAdWi0JIOGwECdqFfMzgjXinMGpAgBLgapXtIP72sKCn8yU0WMqEPWewoAdoPGgQq\
    JKM5MJkQ1QaaSGFQ5djebr1uw+UGTJfUamlkHc7GziqHcvuuMB/wTa4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAANyPIF1Q/\
    g7LzKJkEqsg9XPtpAAuB5JrwyP4jurF8y6fJ+UB+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAALMLZQn69ljaTrpC8vQomzcn\
    ApY+B5GvEHIvH3rUhBVCUYF3Z37xcfoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADfEixe1MTl8J1ZxYCPNTdXSWSW72bLnSvoCB/G\
    TUB3UJB/xf9ZNRu/LVWg4AAAAAAAAAAAAAAAAAAAAAAAAAAAdgg+CuKNfRuMrUMROk4TiOABb2eGgKP61Tu+Ou58QSsWqmDYsqNV\
    TeMR572FdylKAAAAAAAAAAAAAAAAAAAAAIkjuYvhzM0UlXVWqfeydOoaNDmxl+AB4Xo188eixSGRac9w7XsurHpaC1UmqqNEjuYQ\
    SqBndRot+V/EJGQn2amEB3FxYgowe7z1Scm4HHOvI+oK5Vdf1Cq8xlzCHMVgihaDEAl21w0SCm4CXIk3y6OyF74pUZRrixOFsf9W\
    l4skwzDeJHy3UvctZIs+g5rk30eAchs/VJjBXUWWD9Cm/qHBi9HeFNqSVgeV6KKSjQg3ukLlKHY/IAA4h45/yKZ3hYizIxT2NlA6\
    3StpnC9PR10ESE47x4WoAbk95AkRWlOjfTSAHa+HVNj0sCWO9MNhQEwpEaMNITgpnSImU13yIX9lTLmkY0BEIwEBIVoIPIYXYd5y\
    IaAYSzn8nrFQ6y946GgIMCE/2v0b3LKi6doxypES65sdyDMdFTTWDhaMgCTpypi+jyE3Hq7n6KD21Q66ZjjfQegofDBnzzFDs+W8\
    oNOxkxYRpSD3u+BScM7Peg34k6Xxrhg9+ny2nNgkMPmXxFGNBnesE5bO12igDEuPk1hGvkfNfHU4nHxp+LdWVzWXbhv8zULxntRz\
    marCqJy5qRj+akQ8j2oTMm8syraF8Vm/pck/FQXLADgeTSOpHh8J65nwI0Hoyksid3J/vwTCkuijK0kah/OIo5YUmyazIaw0rz2a\
    0MimCKewZD0bdkrLN5Vgn8u6t0td7XRb4pTh7RaeFLzo+eRftNRYSjJiDCHluX3McN4xoTOuRGpfHFGx6SahjWyIMYiubGCsaJDY\
    wzJhtIT15HFpm0PzQaWXak1swLj6ActjL08WlxixlN+dsjIuU7LncBiin5KMC1bMvwXqWAe4z9h8TmKoJ4VQAJPKl5zM+VCizTAP\
    qMj86nBL1DoQo3dQOaavV9zmyFb9sVT7acFHZTEZiiN9TDhFUV4A+RWlFDGA3kijD1fOpzt/BM71v3r1ijEr14FimgD5Me70OidQ\
    bkix1HVf4EIeMyZRab6wasW8sQ5Eo76tasqzFc9Bj/b1iR2j3G7IVy3oMbbUp3IEpfnzDdDXkETrM0oXLgQQEurfQbb7GI5C+dDZ\
    jNyJ0JKLUDamoZ60vCVIptxhm81l7GN/FloAfyXaf2vyLZ/hZMdHhrizuRt6EBeB8Kgt4IqbDNYPpgtf5Pif4QpSSReJqZW/05uM\
    nhm2IgJ+13N0WSxoYa7TqW2ilz1CQ5Me2vfEdNOIS0YjPL5gw41w7518DHIvnIfraUjUmUc89zuHLtJzIQ1L2X9BJP0dd0hWIpTs\
    19mocBODBEzQSQfystw+t+1V6wHWK2k/UeYSoO8CSkxa8ZP1SxFqPXzO0yu1dTNEHSCWsHX5cKOIbQIcUwtLW3i4fI6t/VgezCdZ\
    xjqJoPz37UqDwR7yZhjKf2Ulaxzv7g2xjBU1MbSG22+h0rIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
    """
}
