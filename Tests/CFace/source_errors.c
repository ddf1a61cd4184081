// What is wrong with packed, paged and joined keys, with integers and their scales.

#include "attempts.h"

#include <stdlib.h>
#include <string.h>

// The attempt's keys as [total, Hkv, D] of two sequences.
static void pack(struct attempt *a) {
  a->key_values.source = ATTENTION_PACKED;
  a->key_values.keys = attention_dense(a->k.tensor.data, ATTENTION_FLOAT32, 3, (int64_t[]){10, 2, 8});
  a->key_values.values = attention_dense(a->v.tensor.data, ATTENTION_FLOAT32, 3, (int64_t[]){10, 2, 6});
}

static int32_t page_numbers[2][3];

// The same as pages of 2 rows; a sequence has up to 3 of them.
static void page(struct attempt *a) {
  const int32_t numbers[2][3] = {{4, 0, 2}, {1, 3, -7}};
  memcpy(page_numbers, numbers, sizeof numbers);
  a->key_values.source = ATTENTION_PAGED;
  a->key_values.keys = CALL(attention_dense)(a->k.tensor.data, ATTENTION_FLOAT32, 4, (int64_t[]){5, 2, 2, 8});
  a->key_values.values = attention_dense(a->v.tensor.data, ATTENTION_FLOAT32, 4, (int64_t[]){5, 2, 2, 6});
  a->key_values.page_table = attention_dense(page_numbers, ATTENTION_INT32, 2, (int64_t[]){2, 3});
}

static void check_packed(void) {
  struct attempt all;
  make_attempt(&all);
  pack(&all);
  refuse_bad_tensors(&all.key_values.keys, "keys", run_attempt, &all);
  refuse_bad_tensors(&all.key_values.values, "values", run_attempt, &all);
  free_attempt(&all);
  REFUSED("lengths", pack(&a); a.key_values.lengths = NULL; a.key_values.length_count = 0);
  REFUSED("lengths", pack(&a); a.key_lengths[0] = 7);
  REFUSED("lengths", pack(&a); a.key_lengths[0] = -1);
  REFUSED("lengths", pack(&a); a.key_lengths[0] = a.key_lengths[1] = INT64_MAX);
  REFUSED("lengths", pack(&a); a.key_values.length_count = 1);
  REFUSED("values", pack(&a); a.key_values.values.shape[0] = 9);
  // Queries packed as well.
  REFUSED("queries.lengths", a.queries.tensor.rank = 3);
  REFUSED("queries", a.queries.tensor.rank = 3; a.queries.lengths = NULL; a.queries.length_count = 0);
}

static void check_paged(void) {
  struct attempt all;
  make_attempt(&all);
  page(&all);
  refuse_bad_tensors(&all.key_values.keys, "keys", run_attempt, &all);
  refuse_bad_tensors(&all.key_values.values, "values", run_attempt, &all);
  refuse_bad_tensors(&all.key_values.page_table, "page_table", run_attempt, &all);
  free_attempt(&all);
  REFUSED("lengths", page(&a); a.key_values.lengths = NULL; a.key_values.length_count = 0);
  REFUSED("lengths", page(&a); a.key_lengths[0] = 7);
  REFUSED("lengths", page(&a); a.key_lengths[0] = -1);
  REFUSED("page_table", page(&a); page_numbers[0][2] = 5);
  REFUSED("page_table", page(&a); page_numbers[0][1] = -1);
  REFUSED("page_table", page(&a); page_numbers[1][0] = INT32_MIN);
  REFUSED("lengths", page(&a); a.key_values.page_table.shape[0] = 1);
  REFUSED("values", page(&a); a.key_values.keys.shape[1] = 0);
}

// Int8 keys of the attempt's shape, with scales.
static int8_t integers[160];
static float scales[20];

static void quantize(struct attempt *a) {
  a->key_values.keys = attention_dense(integers, ATTENTION_INT8, 4, (int64_t[]){2, 2, 5, 8});
  a->key_values.key_scales = attention_dense(scales, ATTENTION_FLOAT32, 3, (int64_t[]){2, 2, 5});
}

static void check_integers(void) {
  struct attempt all;
  make_attempt(&all);
  quantize(&all);
  refuse_bad_tensors(&all.key_values.key_scales, "key_scales", run_attempt, &all);
  free_attempt(&all);
  REFUSED("key_scales", quantize(&a); memset(&a.key_values.key_scales, 0, sizeof(attention_tensor)));
  // Scales that are no tensor are told of them; those of another shape, of the keys.
  REFUSED("keys", quantize(&a); a.key_values.key_scales.shape[2] = 4);
  REFUSED("keys", quantize(&a); a.key_values.key_scales.shape[1] = 1);
  REFUSED("keys", quantize(&a); a.key_values.key_scales.rank = 2);
  REFUSED("keys", a.key_values.keys.type = ATTENTION_FLOAT64; a.key_values.keys.shape[3] = 4;
          a.queries.tensor.shape[3] = 4);
}

static void join(struct attempt *a, attention_key_values *parts, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    parts[i] = a->key_values;
  a->key_values = (attention_key_values){.source = ATTENTION_JOINED, .parts = parts, .part_count = count};
}

static void check_joined(void) {
  attention_key_values parts[3], within[12];
  REFUSED("parts", join(&a, parts, 2); a.key_values.parts = NULL);
  REFUSED("parts", join(&a, parts, 2); a.key_values.part_count = -1);
  REFUSED("parts", join(&a, parts, 2); a.key_values.part_count = INT64_MAX);
  REFUSED("key_values", join(&a, parts, 0));
  REFUSED("key_values", join(&a, parts, 2); parts[1].keys.shape[3] = 7);
  REFUSED("key_values", join(&a, parts, 2); parts[1].values.shape[3] = 5);
  REFUSED("key_values", join(&a, parts, 2); parts[1].length_count = 1);
  REFUSED("key_values", join(&a, parts, 3); parts[2].keys.type = parts[2].values.type = ATTENTION_FLOAT16);
  REFUSED("keys", join(&a, parts, 3); parts[2].keys.data = NULL);
  REFUSED("parts", join(&a, parts, 3); parts[2].source = 77);
  // Itself as its part, and parts in parts without end.
  REFUSED("parts", join(&a, parts, 2); parts[1] = a.key_values);
  REFUSED(
      "parts", join(&a, parts, 2); for (int i = 0; i < 12; i++) {
        within[i] = a.key_values;
        within[i].parts = i == 11 ? parts : &within[i + 1];
        within[i].part_count = 1;
      } a.key_values.parts = within;
      a.key_values.part_count = 1);
}

static void check_cached(void) {
  REFUSED("step", memset(&a.key_values, 0, sizeof a.key_values); a.key_values.source = ATTENTION_STEP);
  REFUSED("sequences", memset(&a.key_values, 0, sizeof a.key_values);
          a.key_values.source = ATTENTION_SEQUENCES);
  REFUSED("sequences", memset(&a.key_values, 0, sizeof a.key_values);
          a.key_values.source = ATTENTION_SEQUENCES; a.key_values.sequence_count = 1);
  REFUSED("sequences", memset(&a.key_values, 0, sizeof a.key_values);
          a.key_values.source = ATTENTION_SEQUENCES; a.key_values.sequence_count = -1);
}

void check_source_errors(void) {
  begin_subject("refusals of sources");
  struct attempt a;
  begin_case("what is right");
  make_attempt(&a);
  expect_run(&a);
  pack(&a);
  expect_run(&a);
  page(&a);
  expect_run(&a);
  free_attempt(&a);
  make_attempt(&a);
  quantize(&a);
  expect_run(&a);
  free_attempt(&a);
  check_packed();
  check_paged();
  check_integers();
  check_joined();
  check_cached();
}
