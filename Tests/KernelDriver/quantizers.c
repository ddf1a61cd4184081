// Floats to integers with scales, by the definition and to the bit; and rows of integers to bf16.

#include "check.h"
#include "integers.h"
#include "memory.h"
#include "storage.h"

#include <float.h>
#include <math.h>

// The integer nearest to a quotient, ties to even, cut to the bounds.
static int expected_integer(float x, float scale, int bound) {
  if (scale == 0)
    return 0;
  const float nearest = nearbyintf(x / scale);
  return (int)(nearest > bound ? bound : nearest < -bound ? -bound : nearest);
}

// Whether all are finite; the largest size.
static int largest_size(const float *x, ptrdiff_t n, float *largest) {
  int are_finite = 1;
  *largest = 0;
  for (ptrdiff_t i = 0; i < n; i++) {
    are_finite &= isfinite(x[i]) != 0;
    *largest = fabsf(x[i]) > *largest ? fabsf(x[i]) : *largest;
  }
  return are_finite;
}

enum { kinds = 8 };
static void fill(float *x, ptrdiff_t n, int kind, int bound, struct random *random) {
  // Powers of two times integers: quotients are halves, which are ties, where the largest is the bound.
  const float unit = ldexpf(1, (int)random_below(random, 200) - 100);
  for (ptrdiff_t i = 0; i < n; i++)
    switch (kind) {
    case 0:
      x[i] = unit * (float)(random_below(random, 4 * bound + 1) - 2 * bound) / 2;
      break;
    case 1:
      x[i] = nextafterf(unit * (float)(random_below(random, 4 * bound + 1) - 2 * bound) / 2, random_below(random, 2) ? 0 : INFINITY);
      break;
    case 2:
      x[i] = random_below(random, 2) ? -0.0f : 0.0f;
      break;
    case 3:
      x[i] = 0x1p-149f * (float)(random_below(random, 400) - 200);
      break;
    case 4:
      x[i] = random_below(random, 2) ? FLT_MAX : (float)random_between(random, -3e38, 3e38);
      break;
    case 5:
      x[i] = anything_f32(random);
      break;
    case 6:
      x[i] = 0x1p-126f * (float)random_between(random, -200, 200);
      break;
    default:
      x[i] = (float)random_between(random, -3, 3);
    }
  if (kind < 2 && n)
    x[random_below(random, n)] = unit * (float)bound;
}

#define CHECK_QUANTIZER(type, Target, bound)                                                                 \
  static void check_quantize_##type(float (*quantize)(Target *, const float *, ptrdiff_t)) {                 \
    struct random random = {36};                                                                             \
    FOR_EACH_EDGE (edge)                                                                                     \
      FOR_EACH_SIZE (n)                                                                                      \
        for (int turn = 0; turn < 4 * kinds; turn++) {                                                       \
          float *source = room(0, n * 4, edge), largest;                                                     \
          Target *target = room(1, n * (ptrdiff_t)sizeof *target, edge);                                     \
          fill(source, n, turn % kinds, bound, &random);                                                     \
          if (n && turn >= 3 * kinds)                                                                        \
            source[random_below(&random, n)] = turn % 2 ? NAN : -INFINITY;                                   \
          begin_case("n %td, kind %d, number 0 is %a", n, turn % kinds, n ? source[0] : 0);                  \
          const int are_finite = largest_size(source, n, &largest);                                          \
          const float scale = are_finite ? largest / (float)(bound) : NAN, got = quantize(target, source, n); \
          expect_equal_f32(-1, got, scale);                                                                  \
          for (ptrdiff_t i = 0; i < n && are_finite; i++)                                                    \
            expect_equal_integer(i, target[i], expected_integer(source[i], scale, bound));                   \
          expect_untouched_around_room(1);                                                                   \
        }                                                                                                    \
  }
CHECK_QUANTIZER(i8, int8_t, 127)
CHECK_QUANTIZER(i16, int16_t, 32767)

static void check_quantize_i4(int (*quantize)(void *, const float *, ptrdiff_t)) {
  struct random random = {37};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n)
      for (int turn = 0; turn < 4 * kinds; turn++) {
        float *source = room(0, n * 4, edge), largest;
        char *row = room(1, i4_row_bytes(n), edge);
        fill(source, n, turn % kinds, 7, &random);
        if (n && turn >= 3 * kinds)
          source[random_below(&random, n)] = turn % 2 ? NAN : -INFINITY;
        begin_case("n %td, kind %d, number 0 is %a", n, turn % kinds, n ? source[0] : 0);
        const int are_finite = largest_size(source, n, &largest);
        expect_equal_integer(-1, quantize(row, source, n), are_finite);
        for (ptrdiff_t c = 0; c < n && are_finite; c += 32) {
          largest_size(source + c, n - c < 32 ? n - c : 32, &largest);
          expect_equal_f32(c, i4_scale_at(row, c), largest / 7.0f);
          for (ptrdiff_t i = c; i < c + 32; i++)
            expect_equal_integer(i, i4_at(row, i), i < n ? expected_integer(source[i], largest / 7.0f, 7) : 0);
        }
        expect_untouched_around_room(1);
      }
}

// The smallest bf16 number that is not below unit * sqrt(squares): normal, where that is not 0. A number that is so close below another one that
// double does not tell them apart may be the next one.
static void expect_length(ptrdiff_t index, uint16_t got, float unit, double squares) {
  const long double exact = (long double)unit * sqrtl(squares), length = exact > 0 && exact < FLT_MIN ? FLT_MIN : exact;
  uint16_t word = word_of_value(&storage_bf16, (double)length);
  word += value_of_word(&storage_bf16, word) < length;
  const int is_close = squares > 0 && value_of_word(&storage_bf16, word) < length * (1 + 0x1p-50L);
  expect_equal_word(index, got, is_close && got == word + 1 ? got : word);
}

// A row's integers, 256 * high + low, and the lengths of both.
static void expect_planes(const int8_t *high, const int8_t *low, uint32_t lengths, const float *source, ptrdiff_t n, float unit) {
  double squares[2] = {0, 0};
  for (ptrdiff_t i = 0; i < n; i++) {
    const int integer = 256 * high[i] + low[i];
    expect_equal_integer(i, integer, expected_integer(source[i], unit, 32639));
    squares[0] += (double)integer * integer, squares[1] += low[i] * low[i];
  }
  for (int half = 0; half < 2; half++)
    expect_length(-2 - half, (uint16_t)(lengths >> 16 * half), unit, squares[half]);
}

static void check_quantize_planes(kernel_set *set) {
  float (*quantize)(int8_t *, int8_t *, uint32_t *, const float *, ptrdiff_t) = BEGIN_ENTRY(set, quantize_planes);
  struct random random = {39};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n)
      for (int turn = 0; turn < 4 * kinds; turn++) {
        float *source = room(0, n * 4, edge), largest;
        uint32_t *lengths = room(3, 4, edge), same;
        int8_t *high = room(1, n, edge), *low = room(2, n, edge);
        fill(source, n, turn % kinds, 32639, &random);
        if (n && turn >= 3 * kinds)
          source[random_below(&random, n)] = turn % 2 ? NAN : -INFINITY;
        begin_case("n %td, kind %d, number 0 is %a", n, turn % kinds, n ? source[0] : 0);
        const int are_finite = largest_size(source, n, &largest);
        const float unit = are_finite ? largest / 32639.0f : NAN;
        expect_equal_f32(-1, quantize(high, low, lengths, source, n), unit * 256);
        if (are_finite) {
          expect_planes(high, low, *lengths, source, n, unit);
          CAttentionKernels_named("scalar")->quantize_planes(room(4, n, edge), room(5, n, edge), &same, source, n);
          expect_equal_integer(-4, *lengths, same);
        }
        for (int number = 1; number < 4; number++)
          expect_untouched_around_room(number);
      }
}

// Below the normal range a result may become 0.
static void expect_bf16(ptrdiff_t i, uint16_t got, float product) {
  const int may_be_none = fabsf(product) < FLT_MIN && (got & 0x7FFF) == 0;
  const uint16_t expected = may_be_none ? got : word_of_value(&storage_bf16, product);
  expect_equal_stored(&storage_bf16, 0, &got, &expected);
  (void)i;
}

static float any_scale(int turn, struct random *random) {
  return turn % 3 ? (float)random_between(random, -1, 1) : anything_f32(random);
}

static void check_bf16_rows(kernel_set *set) {
  struct random random = {38};
  FOR_EACH_EDGE (edge)
    for (int turn = 0; turn < 600; turn++) {
      const ptrdiff_t columns = turn % 2 ? size_at(turn % 75) : 32 * (turn % 9), rows = turn % 5, gap = turn % 4 * 4;
      if (columns == 0)
        continue;
      const ptrdiff_t bytes = i4_row_bytes(columns), i4_stride = bytes + gap, stride = columns + gap, scale_stride = 4 + gap;
      int8_t *integers = room(0, rows ? (rows - 1) * stride + columns : 0, edge);
      char *scales = room(1, rows ? (rows - 1) * scale_stride + 4 : 0, edge), *blocks = room(2, rows ? (rows - 1) * i4_stride + bytes : 0, edge);
      for (ptrdiff_t r = 0; r < rows; r++) {
        const float scale = any_scale(turn, &random);
        memcpy(scales + r * scale_stride, &scale, sizeof scale);
        for (ptrdiff_t c = 0; c < columns; c++)
          integers[r * stride + c] = (int8_t)random_bits(&random);
        for (ptrdiff_t c = 0; c < columns; c += 32)
          fill_i4_block(blocks + r * i4_stride, c, any_scale(turn, &random), &random);
      }
      uint16_t *target = room(3, rows * columns * 2, edge);
      void (*from_i8)(uint16_t *, const void *, ptrdiff_t, const void *, ptrdiff_t, ptrdiff_t, ptrdiff_t) = BEGIN_ENTRY(set, bf16_rows_from_i8);
      begin_case("%td rows of %td columns, strides %td and %td", rows, columns, stride, scale_stride);
      from_i8(target, integers, stride, scales, scale_stride, rows, columns);
      for (ptrdiff_t i = 0; i < rows * columns; i++) {
        float scale;
        memcpy(&scale, scales + i / columns * scale_stride, sizeof scale);
        expect_bf16(i, target[i], (float)integers[i / columns * stride + i % columns] * scale);
      }
      expect_untouched_around_room(3);
      target = room(3, rows * columns * 2, edge);
      void (*from_i4)(uint16_t *, const void *, ptrdiff_t, ptrdiff_t, ptrdiff_t) = BEGIN_ENTRY(set, bf16_rows_from_i4);
      begin_case("%td rows of %td columns, stride %td", rows, columns, i4_stride);
      from_i4(target, blocks, i4_stride, rows, columns);
      for (ptrdiff_t i = 0; i < rows * columns; i++) {
        const char *row = blocks + i / columns * i4_stride;
        expect_bf16(i, target[i], (float)i4_at(row, i % columns) * i4_scale_at(row, i % columns));
      }
      expect_untouched_around_room(3);
    }
}

void check_quantizers(kernel_set *set) {
  check_quantize_i8(BEGIN_ENTRY(set, quantize_i8));
  check_quantize_i16(BEGIN_ENTRY(set, quantize_i16));
  check_quantize_i4(BEGIN_ENTRY(set, quantize_i4));
  check_quantize_planes(set);
  check_bf16_rows(set);
}
