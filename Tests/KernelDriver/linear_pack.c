// Weights on their way into panels and inputs on their way to the kernels: word by word, by the definitions.

#include "linear_weight.h"

#include <float.h>
#include <math.h>

// What a panel holds of `outputs` rows: each number rounded once, zeros everywhere else.
static void check_pack(const struct weight *weight) {
  struct random random = {52};
  FOR_EACH_EDGE (edge)
    for (ptrdiff_t inputs = 1; inputs <= 70; inputs++) {
      const ptrdiff_t outputs = 1 + inputs * 11 % panel_outputs, stride = inputs + inputs % 3;
      float *rows = room(0, ((outputs - 1) * stride + inputs) * 4, edge);
      for (ptrdiff_t i = 0; i < (outputs - 1) * stride + inputs; i++)
        rows[i] = anything_f32(&random);
      char *panel = room(1, panel_bytes(weight, inputs), edge);
      begin_case("%td outputs, %td inputs, stride %td", outputs, inputs, stride);
      weight->pack(panel, rows, stride, outputs, inputs);
      expect_untouched_around_room(1);
      for (ptrdiff_t k = 0; k < (weight->is_pairs ? inputs + inputs % 2 : inputs); k++)
        for (ptrdiff_t o = 0; o < panel_outputs; o++) {
          double expected[1];
          const ptrdiff_t place = panel_place(weight, o, k);
          store_value(weight->storage, expected, 0, o < outputs && k < inputs ? rows[o * stride + k] : 0);
          expect_equal_stored(weight->storage, 0, panel + place * weight->storage->size, expected);
        }
    }
}

// The least f16 number that is not below x: of the numbers next to it that is nearest.
static uint16_t word_at_least(double x) {
  const uint16_t word = word_of_value(&storage_f16, x);
  return value_of_word(&storage_f16, word) < x ? word + 1 : word;
}

// Kinds of blocks. Grids are few integers times an f16 scale, the largest size among them; 0 past the row.
enum kind { any, q8, q8_sparse, q4, q5, tiny, zeros, poisoned, too_large, block_kinds };

static void fill_block(float *x, ptrdiff_t n, enum kind kind, struct random *random) {
  const ptrdiff_t steps = kind == q4 ? 8 : kind == q5 ? 16 : 127;
  // Normal and subnormal scales, which times the steps stay in range.
  const double scale = value_of_word(&storage_f16, (uint16_t)(1 + random_below(random, 0x7BFF)));
  for (ptrdiff_t i = 0; i < n; i++)
    switch (kind) {
    case any:
    case poisoned:
      x[i] = (float)random_between(random, -3, 3);
      break;
    case q8:
      x[i] = (float)(scale * (double)(random_below(random, 2 * steps + 1) - steps));
      break;
    case q8_sparse:
      x[i] = 0;
      break;
    case q4:
    case q5:
      x[i] = (float)(scale * (double)(random_below(random, 2 * steps) - steps));
      break;
    case tiny:
      x[i] = 0x1p-149f * (float)(random_below(random, 1 << 26) - (1 << 25));
      break;
    case zeros:
      x[i] = i % 2 ? -0.0f : 0.0f;
      break;
    case too_large:
    case block_kinds:
      x[i] = (float)random_between(random, -1, 1) * FLT_MAX;
      break;
    }
  float *one = x + random_below(random, n);
  if (kind == q8 || kind == q8_sparse)
    *one = (float)(scale * (random_below(random, 2) ? 127 : -127));
  if (kind == q4 || kind == q5)
    *one = (float)(scale * -(double)steps);
  if (kind == poisoned)
    *one = random_below(random, 2) ? NAN : -INFINITY;
  if (kind == too_large)
    *one = FLT_MAX;
}

static void expect_block(const void *panel, ptrdiff_t o, ptrdiff_t k, const float *x, ptrdiff_t n, enum kind kind) {
  const uint16_t word = panel_scale(panel, o, k);
  const double scale = value_of_word(&storage_f16, word);
  const int is_grid = kind == q8 || kind == q8_sparse || kind == q4 || kind == q5;
  float largest = 0;
  for (ptrdiff_t i = 0; i < n; i++)
    largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
  if (!is_grid && n > 4)
    expect_equal_word(k, word, word_at_least(largest / 127.0f));
  for (ptrdiff_t i = 0; i < panel_block; i++) {
    const int integer = panel_integer(panel, o, k + i);
    const float number = i < n ? x[i] : 0;
    if (is_grid)
      expect_within_f32(k + i, (float)(integer * scale), number, 0);
    else
      expect_equal_integer(k + i, integer, scale == 0 ? 0 : (long long)nearbyintf(number / (float)scale));
  }
}

static void check_pack_integers(const struct weight *weight) {
  struct random random = {53};
  FOR_EACH_EDGE (edge)
    for (int turn = 0; turn < 40 * block_kinds; turn++) {
      const ptrdiff_t inputs = 1 + turn % 130, outputs = 1 + turn * 11 % panel_outputs, stride = inputs + turn % 3;
      const enum kind kind = turn % block_kinds;
      float *rows = room(0, ((outputs - 1) * stride + inputs) * 4, edge);
      for (ptrdiff_t o = 0; o < outputs; o++)
        for (ptrdiff_t k = 0; k < inputs; k += panel_block)
          fill_block(rows + o * stride + k, inputs - k < panel_block ? inputs - k : panel_block, kind, &random);
      char *panel = room(1, panel_bytes(weight, inputs), edge);
      begin_case("%td outputs, %td inputs, kind %d", outputs, inputs, kind);
      const int is_finite = kind != poisoned && kind != too_large;
      expect_equal_integer(-1, weight->pack_integers(panel, rows, stride, outputs, inputs), is_finite);
      expect_untouched_around_room(1);
      for (ptrdiff_t k = 0; k < inputs && is_finite; k += panel_block)
        for (ptrdiff_t o = 0; o < panel_outputs; o++) {
          const ptrdiff_t n = inputs - k < panel_block ? inputs - k : panel_block;
          static const float nothing[panel_block];
          expect_block(panel, o, k, o < outputs ? rows + o * stride + k : nothing, n, o < outputs ? kind : zeros);
        }
    }
}

static void check_inputs_bf16(void (*convert)(void *, const float *, ptrdiff_t)) {
  struct random random = {54};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n) {
      float *x = room(0, n * 4, edge);
      uint16_t *target = room(1, (n + n % 2) * 2, edge);
      for (ptrdiff_t i = 0; i < n; i++)
        x[i] = anything_f32(&random);
      begin_case("n %td", n);
      convert(target, x, n);
      for (ptrdiff_t i = 0; i < n + n % 2; i++) {
        const uint16_t expected = i < n ? word_of_value(&storage_bf16, x[i]) : 0;
        expect_equal_stored(&storage_bf16, 0, target + i, &expected);
      }
      expect_untouched_around_room(1);
    }
}

static void check_inputs_i16(int (*quantize)(void *, float *, const float *, ptrdiff_t)) {
  struct random random = {55};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n)
      for (int turn = 0; turn < 6; turn++) {
        const ptrdiff_t blocks = (n + panel_block - 1) / panel_block;
        float *x = room(0, n * 4, edge), *scales = room(1, blocks * 4, edge);
        int16_t *target = room(2, blocks * panel_block * 2, edge);
        const double size = ldexp(1, (int)random_below(&random, 240) - 120);
        for (ptrdiff_t i = 0; i < n; i++)
          x[i] = turn == 1 ? 0 : (float)(size * random_between(&random, -1, 1));
        const int is_finite = turn < 4 || n == 0;
        if (!is_finite)
          x[random_below(&random, n)] = turn == 4 ? NAN : INFINITY;
        begin_case("n %td, turn %d", n, turn);
        expect_equal_integer(-1, quantize(target, scales, x, n), is_finite);
        expect_untouched_around_room(1);
        expect_untouched_around_room(2);
        for (ptrdiff_t k = 0; k < n && is_finite; k += panel_block) {
          float largest = 0;
          for (ptrdiff_t i = k; i < k + panel_block && i < n; i++)
            largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
          const float scale = largest / 32767.0f;
          expect_equal_f32(k, scales[k / panel_block], scale);
          for (ptrdiff_t i = k; i < k + panel_block; i++) {
            const float nearest = i < n && scale > 0 ? nearbyintf(x[i] / scale) : 0;
            expect_equal_integer(i, target[i], (long long)fmaxf(fminf(nearest, 32767), -32767));
          }
        }
      }
}

#define CHECK_PACK(type, check)                                                                              \
  {                                                                                                          \
    const struct weight weight = weight_##type(set);                                                         \
    (void)BEGIN_ENTRY(set, pack_linear_##type);                                                              \
    check(&weight);                                                                                          \
  }

void check_linear_pack(kernel_set *set) {
  CHECK_PACK(f32, check_pack)
  CHECK_PACK(f16, check_pack)
  CHECK_PACK(bf16, check_pack)
  CHECK_PACK(i8, check_pack_integers)
  check_inputs_bf16(BEGIN_ENTRY(set, linear_inputs_bf16));
  check_inputs_i16(BEGIN_ENTRY(set, linear_inputs_i16));
}
