// Fused attention: panels of every size and range against the definition; what must not matter to a lane;
// what reaches its sum.

#include "fused_case.h"

#include <math.h>
#include <string.h>

static struct fused_case now, other;
static struct fused_result result, again;

// A case for each number: every kind of range with every kind of score, and all rules with both.
static void prepare(kernel_set *set, struct fused_case *c, int number, struct random *random) {
  const ptrdiff_t lanes = set->panel_rows, vector = lanes / 2;
  const ptrdiff_t rows[] = {lanes, 1, vector, vector + 1, lanes, lanes - 1, lanes, 1 + random_below(random, lanes)};
  c->lanes = lanes;
  c->rows = rows[number % 8] > 0 ? rows[number % 8] : 1;
  c->ranges = (enum ranges)(number % ranges_count);
  c->scores = (enum scores)(number / ranges_count % scores_count);
  c->first = number % 5 == 1 ? 1000 : number % 5;
  c->has_bias = number % 7 % 3 == 1;
  c->shown = (enum shown)(number % 9 % 2 ? all_shown : number / 9 % shown_count);
  c->key_gap = number % 3, c->value_gap = number / 2 % 3;
  // Caps of powers of two, far above some scores and below others; so far above distant ones that nothing of them is lost.
  c->softcap = number / 3 % 4 != 1 ? 0 : c->scores == distant_scores ? 0x1p100f : 16;
  c->has_slopes = number / 3 % 4 != 0 && number % 4 == 2;
  fill_fused_case(c, set->tile_keys, random);
}

static void name_case(const struct fused_case *c, const char *what) {
  begin_case("%s: %td x %td, %td + %td keys from %td, %td rows, ranges %d, scores %d, cap %g, slopes %d, "
             "biases %d, shown %d, gaps %td %td",
             what,
             c->head_dim, c->value_dim, c->counts[0], c->counts[1], c->first, c->rows, (int)c->ranges, (int)c->scores,
             c->softcap, c->has_slopes, c->has_bias, (int)c->shown, c->key_gap, c->value_gap);
}

static void check_one(kernel_set *set, int number, struct random *random) {
  prepare(set, &now, number, random);
  name_case(&now, "definition");
  run_fused(set, &now, &result, number / 2 % 2 ? at_start : at_end);
  expect_fused(&now, &result);
}

// Keys in one block or two, the first of whole tiles or not.
static void set_counts(kernel_set *set, ptrdiff_t keys, int number) {
  ptrdiff_t first = number % 3 == 0 ? keys : number % 3 == 1 ? keys / 2 : keys / set->tile_keys / 2 * set->tile_keys;
  first = first < set->block_keys ? first : set->block_keys;
  first = keys - first > set->block_keys ? keys - set->block_keys : first;
  now.counts[0] = first, now.counts[1] = keys - first;
}

static void check_definition(kernel_set *set) {
  static const ptrdiff_t dims[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                                   13, 14, 15, 16, 17, 18, 19, 20, 33, 40, 64, 128};
  enum { dims_count = sizeof dims / sizeof *dims };
  struct random random = {41};
  int number = 0;
  for (ptrdiff_t keys = 1; keys <= 42; keys++)
    for (int i = 0; i < dims_count; i++, number++) {
      // Pairs of columns.
      now.head_dim = now.is_bf16 ? dims[i] + dims[i] % 2 : dims[i];
      now.value_dim = dims[(i * 7 + keys) % dims_count];
      set_counts(set, keys, number / 2);
      check_one(set, number + (int)keys, &random);
    }
  for (ptrdiff_t keys = 250; keys <= 2 * set->block_keys && keys <= most_keys; keys += keys < 258 ? 1 : 83)
    for (int i = 0; i < ranges_count * scores_count; i++, number++) {
      now.head_dim = 2 + 2 * (i % 5), now.value_dim = 1 + i % 23;
      set_counts(set, keys, number / 2);
      check_one(set, i, &random);
    }
}

// Some case of each number: up to 61 keys, and widths up to 19.
static void prepare_small(kernel_set *set, int number, struct random *random) {
  now.head_dim = 2 + 2 * (number % 7), now.value_dim = 1 + number * 5 % 19;
  set_counts(set, 1 + number * 3 % 61, number);
  prepare(set, &now, number, random);
}

// A lane's bits in a panel of its own, at another place, among rows that see and ask for something else.
static void check_independence(kernel_set *set) {
  struct random random = {42};
  for (int number = 0; number < 400; number++) {
    prepare_small(set, number, &random);
    run_fused(set, &now, &result, at_end);
    const ptrdiff_t r = random_below(&random, now.rows), place = random_below(&random, now.lanes);
    other = now;
    for (int alone = 0; alone < 2; alone++) {
      const ptrdiff_t to = alone ? 0 : place;
      other.ranges = now.ranges == see_all && alone ? see_all : anything_at_all;
      other.rows = alone ? 1 : now.lanes;
      for (ptrdiff_t i = 0; i < now.lanes; i++) {
        for (ptrdiff_t d = 0; d < now.head_dim; d++)
          other.query[i][d] = (float)(random_below(&random, 65) - 32) / (number % 2 ? 1 : 8);
        other.begin[i] = (int32_t)(now.first + random_below(&random, 70));
        other.end[i] = (int32_t)(now.first + random_below(&random, 70));
        other.slope[i] = 1, other.position[i] = random_below(&random, 100);
      }
      memcpy(other.query[to], now.query[r], sizeof now.query[r]);
      other.begin[to] = now.ranges == see_all ? 0 : now.begin[r];
      other.end[to] = now.ranges == see_all ? INT32_MAX : now.end[r];
      other.slope[to] = now.slope[r], other.position[to] = now.position[r];
      for (ptrdiff_t j = 0; j < now.counts[0] + now.counts[1]; j++) {
        for (ptrdiff_t i = 0; i < now.lanes; i++)
          other.bias[j][i] = i == to ? now.bias[j][r] : (float)random_below(&random, 9);
        const uint32_t bit = (uint32_t)1 << to, seen = now.visible[j] >> r & 1 ? bit : 0;
        other.visible[j] = ((uint32_t)random_bits(&random) & ~bit) | seen;
      }
      name_case(&now, alone ? "alone" : "among others");
      run_fused(set, &other, &again, at_end);
      expect_same_lane(&now, &again, to, &result, r, 1);
    }
  }
}

// One score that is none, and values of NaN where nobody looks: those who see the key have a sum of NaN, all
// others the bits as without.
static void check_what_reaches_the_sum(kernel_set *set) {
  static const float poisons[] = {NAN, -INFINITY, INFINITY};
  struct random random = {43};
  for (int number = 0; number < 1200; number++) {
    now.head_dim = 2 + 2 * (number % 5), now.value_dim = 1 + number % 13;
    const ptrdiff_t keys = 1 + number * 7 % 43;
    set_counts(set, keys, number);
    prepare(set, &now, number % 11 == 0 ? number * ranges_count : number, &random);
    for (ptrdiff_t i = 0; i < now.rows; i++)
      now.query[i][0] = 1;
    run_fused(set, &now, &result, at_end);
    const ptrdiff_t place = random_below(&random, keys);
    const float poison = poisons[number / 2 % 3];
    other = now;
    other.key[place][0] = poison;
    name_case(&now, "a score that is none");
    run_fused(set, &other, &again, at_end);
    for (ptrdiff_t r = 0; r < now.rows; r++) {
      if (fused_row_sees(&now, r, place))
        expect_equal_f32(r, again.sum[r], NAN);
      else
        expect_same_lane(&now, &again, r, &result, r, 1);
    }
    if (now.has_bias) {
      other = now;
      for (ptrdiff_t r = 0; r < now.rows; r++)
        other.bias[place][r] = r % 2 ? NAN : INFINITY;
      name_case(&now, "a bias that makes no score");
      run_fused(set, &other, &again, at_end);
      for (ptrdiff_t r = 0; r < now.rows; r++)
        if (fused_row_sees(&now, r, place))
          expect_equal_f32(r, again.sum[r], NAN);
        else
          expect_same_lane(&now, &again, r, &result, r, 1);
    }
    // Hidden from some: their outputs may be NaN, their sums not.
    other = now;
    for (ptrdiff_t d = 0; d < now.value_dim; d++)
      other.value[place][d] = poison;
    name_case(&now, "a value that is none");
    run_fused(set, &other, &again, at_end);
    for (ptrdiff_t r = 0; r < now.rows; r++)
      expect_same_lane(&now, &again, r, &result, r, 0);
  }
}

// The sum and the output do not depend on whether the mass is asked for.
static void check_that_mass_changes_nothing(kernel_set *set) {
  struct random random = {43};
  for (int number = 0; number < 400; number++) {
    prepare_small(set, number, &random);
    name_case(&now, "without the mass");
    run_fused(set, &now, &result, at_end);
    other = now;
    other.with_mass = 0;
    run_fused(set, &other, &again, at_end);
    for (ptrdiff_t r = 0; r < now.rows; r++) {
      again.mass[r] = result.mass[r];
      expect_same_lane(&now, &again, r, &result, r, 1);
    }
  }
}

static void check_kernel(kernel_set *set) {
  check_definition(set);
  check_independence(set);
  check_what_reaches_the_sum(set);
}

void check_fused(kernel_set *set) {
  (void)BEGIN_ENTRY(set, attend_block_f32);
  now.is_bf16 = now.with_mass = 0;
  check_kernel(set);
  (void)BEGIN_ENTRY(set, attend_block_bf16);
  now.is_bf16 = 1;
  check_kernel(set);
  (void)BEGIN_ENTRY(set, attend_block_bf16_with_mass);
  now.with_mass = 1;
  check_kernel(set);
  check_that_mass_changes_nothing(set);
}
