import Tensors
import Testing

/// The expected texts are NumPy's with `set_printoptions(precision=4, suppress=True)`, but for `…`, `true` and `false`.
@Suite struct TensorDescriptionTests {
  private func text<Element: TensorElement>(_ elements: [Element], _ shape: Shape) throws -> String {
    try Tensor(elements, shape: shape).description
  }

  @Test func columnsAlign() throws {
    #expect(
      try text([1, 2.5, 3.25, -4] as [Float], [2, 2]) == """
        [[ 1.    2.5 ]
         [ 3.25 -4.  ]]
        """)
    #expect(try text([1, -200, 3] as [Int32], [3]) == "[   1 -200    3]")
    #expect(try text([.min, .max] as [Int64], [2]) == "[-9223372036854775808  9223372036854775807]")
    #expect(try text([true, false], [2]) == "[ true false]")
    #expect(
      try text((0..<24).map { Float($0) }, [2, 3, 4]) == """
        [[[ 0.  1.  2.  3.]
          [ 4.  5.  6.  7.]
          [ 8.  9. 10. 11.]]

         [[12. 13. 14. 15.]
          [16. 17. 18. 19.]
          [20. 21. 22. 23.]]]
        """)
  }

  @Test func fourDecimalsAtMostCorrectlyRounded() throws {
    #expect(
      try text([0.99996, 0.12345, 1.00005, 2.5e-5, 123456.7] as [Double], [5])
        == "[     1.          0.1235      1.0001      0.     123456.7   ]")
    // Exact ties of the fourth decimal go to the even digit.
    #expect(try text([0.03125, 0.09375] as [Double], [2]) == "[0.0312 0.0938]")
    #expect(try text([0.1, 0.2, 0.3] as [Float], [3]) == "[0.1 0.2 0.3]")
  }

  @Test func narrowTypesShowNoMoreThanTheyHold() throws {
    #expect(try text([0.1, 1.1, 3.14159, 123.5] as [Float16], [4]) == "[  0.1    1.1    3.14 123.5 ]")
    #expect(try text([0.1, 1.1, 3.14159, 12.5] as [BFloat16], [4]) == "[ 0.1   1.1   3.14 12.5 ]")
  }

  @Test func largeNumbersGetAnExponent() throws {
    #expect(try text([1e10, 1.5e10, -2] as [Double], [3]) == "[ 1.0e+10  1.5e+10 -2.0e+00]")
    #expect(try text([1e100, 1e-300, 1] as [Double], [3]) == "[1.e+100 1.e-300 1.e+000]")
    #expect(try text([1.6777216e7, 3] as [Float], [2]) == "[1.6777e+07 3.0000e+00]")
    #expect(
      try text([0.1, 1.1, 3.14159, 1234.5] as [Float16], [4]) == "[9.998e-02 1.100e+00 3.141e+00 1.234e+03]")
    #expect(try text([9.99999e9, .nan] as [Double], [2]) == "[1.e+10    nan]")
    #expect(try text([9.99999e9, 1.5, 1.00004e10] as [Double], [3]) == "[1.0e+10 1.5e+00 1.0e+10]")
  }

  @Test func smallNumbersGetAnExponentOnlyAmongTheirLikes() throws {
    #expect(try text([1e-5, 0.5] as [Float], [2]) == "[0.  0.5]")
    #expect(try text([1e-5, 0, 2.5e-7] as [Float], [3]) == "[1.0e-05 0.0e+00 2.5e-07]")
  }

  @Test func numbersThatAreNotFinite() throws {
    #expect(try text([1e-5, 0.5, .nan, -.infinity, -1e-7] as [Float], [5]) == "[ 0.   0.5  nan -inf -0. ]")
    #expect(try text([.nan, .infinity] as [Float16], [2]) == "[nan inf]")
    #expect(try text([-.infinity, 1] as [Double], [2]) == "[-inf   1.]")
  }

  @Test func scalarAndEmptyTensors() throws {
    #expect(try text([1.5] as [Float], []) == "1.5")
    #expect(try text([.nan] as [Float], []) == "nan")
    #expect(try text([7] as [UInt8], []) == "7")
    #expect(try text([] as [Float], [0]) == "[]")
    #expect(try text([] as [Float], [3, 0, 2]) == "[]")
  }

  @Test func beyondAThousandElementsOnlyTheEdges() throws {
    let values = (0..<2000).map { Float($0) * 0.5 }
    #expect(try text(values, [2000]) == "[  0.    0.5   1.  … 998.5 999.  999.5]")
    #expect(
      try text(values, [20, 100]) == """
        [[  0.    0.5   1.  …  48.5  49.   49.5]
         [ 50.   50.5  51.  …  98.5  99.   99.5]
         [100.  100.5 101.  … 148.5 149.  149.5]
         …
         [850.  850.5 851.  … 898.5 899.  899.5]
         [900.  900.5 901.  … 948.5 949.  949.5]
         [950.  950.5 951.  … 998.5 999.  999.5]]
        """)
    #expect(try text(Array(values.prefix(1000)), [1000]).contains("…") == false)
    // Only shown elements count for the widths, and only they are read.
    #expect(try Tensor<Float>([1], shape: []).broadcast(to: [1 << 40]).description == "[1. 1. 1. … 1. 1. 1.]")
  }

  @Test func longRowsWrap() throws {
    #expect(
      try text((0..<60).map { Float($0) * 0.37 }, [3, 20]) == """
        [[ 0.    0.37  0.74  1.11  1.48  1.85  2.22  2.59  2.96  3.33  3.7   4.07
           4.44  4.81  5.18  5.55  5.92  6.29  6.66  7.03]
         [ 7.4   7.77  8.14  8.51  8.88  9.25  9.62  9.99 10.36 10.73 11.1  11.47
          11.84 12.21 12.58 12.95 13.32 13.69 14.06 14.43]
         [14.8  15.17 15.54 15.91 16.28 16.65 17.02 17.39 17.76 18.13 18.5  18.87
          19.24 19.61 19.98 20.35 20.72 21.09 21.46 21.83]]
        """)
  }

  @Test func wrappedLinesDoNotEndInBlanks() throws {
    let text = try text([Float](repeating: 2, count: 30) + [0.1234], [31])
    #expect(text.contains("\n") && !text.contains(" \n"))
  }

  @Test func viewsPrintTheirOwnElements() {
    #expect(
      counting([2, 3], as: Int32.self).transposed().description == """
        [[0 3]
         [1 4]
         [2 5]]
        """)
  }

  @Test func debugDescriptionNamesTypeAndShape() throws {
    #expect(try Tensor<Float>([1, 2], shape: [2]).debugDescription == "Tensor<float32> [2]\n[1. 2.]")
    #expect(Tensor<BFloat16>.zeros([2, 0]).debugDescription == "Tensor<bfloat16> [2, 0]\n[]")
  }
}
