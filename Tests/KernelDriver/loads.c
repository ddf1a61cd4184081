// Rows from every storage type: converted exactly (a double rounded to float), then multiplied and rounded
// once. The same bits from every set.

#ifndef REAL

#include "check.h"
#include "integers.h"
#include "memory.h"
#include "storage.h"

typedef void (*load)(void *target, const void *source, ptrdiff_t stride, ptrdiff_t n, double factor);

#define SUBJECT "loads.c"
#include "both_precisions.h"

void check_loads(kernel_set *set) {
  check_loads_f32(set);
  check_loads_f64(set);
}

#else

static void P(check_load_at_any_stride)(load load, const struct storage *type) {
  static const ptrdiff_t strides[] = {1, 2, 3, 7, -1, -4};
  struct random random = {6};
  for (int s = 0; s < 6; s++)
    FOR_EACH_EDGE (edge)
      FOR_EACH_SIZE (n) {
        const ptrdiff_t stride = strides[s], steps = n > 0 ? (n - 1) * stride : 0,
                        span = steps < 0 ? -steps : steps;
        char *all = room(0, n > 0 ? (span + 1) * type->size : 0, edge);
        char *source = all + (stride < 0 ? span * type->size : 0);
        SCALAR *target = room(1, n * (ptrdiff_t)sizeof *target, edge);
        SCALAR factor = n % 3 ? (SCALAR)random_between(&random, -4, 4) : 1;
        begin_case("n %td, stride %td, factor %g", n, stride, factor);
        for (ptrdiff_t i = 0; n > 0 && i <= span; i++)
          store_anything(type, all, i, &random);
        load(target, source, stride, n, factor);
        for (ptrdiff_t i = 0; i < n; i++)
          P(expect_equal)(i, target[i], (SCALAR)stored_value(type, source, i * stride) * factor);
        expect_untouched_around_room(1);
      }
}

static void P(check_load_of_every_word)(load load, const struct storage *type) {
  enum { words = 1 << 16 };
  uint16_t *source = room(0, words * 2, at_end);
  SCALAR *target = room(1, words * (ptrdiff_t)sizeof *target, at_end);
  begin_case("every word of %s", type->name);
  for (int i = 0; i < words; i++)
    source[i] = (uint16_t)i;
  load(target, source, 1, words, 1);
  for (int i = 0; i < words; i++)
    P(expect_equal)(i, target[i], (SCALAR)value_of_word(type, (uint16_t)i));
}

static void P(check_load_of_blocks)(load load) {
  struct random random = {8};
  FOR_EACH_EDGE (edge)
    FOR_EACH_SIZE (n)
      for (int turn = 0; turn < 4; turn++) {
        char *row = room(0, i4_row_bytes(n), edge);
        SCALAR *target = room(1, n * (ptrdiff_t)sizeof *target, edge);
        SCALAR factor = turn % 2 ? (SCALAR)random_between(&random, -4, 4) : 1;
        for (ptrdiff_t c = 0; c < n; c += CAttentionKernels_i4_columns)
          fill_i4_block(row, c, turn < 2 ? anything_f32(&random) : (float)random_between(&random, -2, 2), &random);
        begin_case("n %td, factor %g", n, factor);
        load(target, row, 77, n, factor);
        for (ptrdiff_t i = 0; i < n; i++)
          P(expect_equal)(i, target[i], (SCALAR)i4_at(row, i) * (SCALAR)i4_scale_at(row, i) * factor);
        expect_untouched_around_room(1);
      }
}

static void P(check_loads)(kernel_set *set) {
  P(check_load_at_any_stride)(BEGIN_ENTRY(set, ROWS(load_from_i8)), &storage_i8);
  P(check_load_of_blocks)(BEGIN_ENTRY(set, ROWS(load_from_i4)));
  P(check_load_at_any_stride)(BEGIN_ENTRY(set, ROWS(load_from_f32)), &storage_f32);
  P(check_load_at_any_stride)(BEGIN_ENTRY(set, ROWS(load_from_f64)), &storage_f64);
  P(check_load_at_any_stride)(BEGIN_ENTRY(set, ROWS(load_from_f16)), &storage_f16);
  P(check_load_of_every_word)(set->ROWS(load_from_f16), &storage_f16);
  P(check_load_at_any_stride)(BEGIN_ENTRY(set, ROWS(load_from_bf16)), &storage_bf16);
  P(check_load_of_every_word)(set->ROWS(load_from_bf16), &storage_bf16);
}

#endif
