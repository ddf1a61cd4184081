// attention_run: what is wrong with each argument, and how it is told.

#include "attempts.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_tensors(void) {
  struct attempt a;
  make_attempt(&a);
  // With lengths, three axes are packed queries.
  a.queries.lengths = NULL;
  a.queries.length_count = 0;
  refuse_bad_tensors(&a.queries.tensor, "queries", run_attempt, &a);
  refuse_bad_tensors(&a.key_values.keys, "keys", run_attempt, &a);
  refuse_bad_tensors(&a.key_values.values, "values", run_attempt, &a);
  refuse_bad_tensors(&a.output, "output", run_attempt, &a);
  refuse_bad_tensors(&a.log_sum_exp, "log_sum_exp", run_attempt, &a);
  refuse_overlaps(&a.output, "output", run_attempt, &a);
  refuse_overlaps(&a.log_sum_exp, "log_sum_exp", run_attempt, &a);
  free_attempt(&a);
}

static void check_pointers(void) {
  struct attempt a;
  make_attempt(&a);
  begin_case("NULL for an argument");
  expect_refused(CALL(attention_run)(NULL, &a.key_values, NULL, &a.output, NULL), ATTENTION_INVALID_ARGUMENT,
                 "queries");
  expect_refused(CALL(attention_run)(&a.queries, NULL, NULL, &a.output, NULL), ATTENTION_INVALID_ARGUMENT,
                 "key_values");
  expect_refused(CALL(attention_run)(&a.queries, &a.key_values, NULL, NULL, NULL), ATTENTION_INVALID_ARGUMENT,
                 "output");
  expect_refused(CALL(attention_describe)(NULL, &a.key_values, NULL, NULL, 0, NULL),
                 ATTENTION_INVALID_ARGUMENT, "queries");
  expect_refused(CALL(attention_describe)(&a.queries, NULL, NULL, NULL, 0, NULL), ATTENTION_INVALID_ARGUMENT,
                 "key_values");
  size_t length = 77;
  char text[8] = "#######";
  a.options.softcap = -1;
  expect_refused(CALL(attention_describe)(&a.queries, &a.key_values, &a.options, text, 8, &length),
                 ATTENTION_INVALID_ARGUMENT, "softcap");
  expect(length == 77 && strcmp(text, "#######") == 0, "a refused description was written");
  free_attempt(&a);
}

// What several members of the options say together is told of the options; lengths that do not fit a tensor,
// of that tensor.
static void check_queries(void) {
  REFUSED("keys", a.queries.tensor.shape[3] = 7);
  REFUSED("queries", a.queries.tensor.shape[3] = 0);
  REFUSED("queries.lengths", a.queries.lengths = NULL);
  REFUSED("queries.lengths", a.queries.length_count = -1);
  REFUSED("queries.lengths", a.queries.length_count = 1);
  REFUSED("queries.lengths", a.queries.length_count = INT64_MAX);
  REFUSED("queries.lengths", a.queries.length_count = INT64_MIN);
  REFUSED("queries.lengths", a.query_lengths[0] = -1);
  REFUSED("queries.lengths", a.query_lengths[1] = 4);
  REFUSED("queries.lengths", a.query_lengths[1] = INT64_MAX);
  REFUSED("queries.lengths", a.query_lengths[1] = INT64_MIN);
}

static void check_padded(void) {
  static const attention_source sources[] = {-1, 6, INT32_MAX, INT32_MIN};
  for (int i = 0; i < 4; i++)
    REFUSED("key_values", a.key_values.source = sources[i]);
  REFUSED("keys", a.key_values.keys.shape[0] = 1; a.key_values.lengths = NULL; a.key_values.length_count = 0);
  REFUSED("keys", a.key_values.keys.shape[1] = 3);
  REFUSED("keys", a.key_values.keys.shape[1] = 0);
  REFUSED("keys", a.key_values.keys.shape[3] = 7);
  REFUSED("values", a.key_values.values.shape[0] = 1);
  REFUSED("values", a.key_values.values.shape[1] = 1);
  REFUSED("values", a.key_values.values.shape[2] = 4);
  REFUSED("values", a.key_values.values.shape[3] = 0);
  REFUSED("lengths", a.key_values.lengths = NULL);
  REFUSED("lengths", a.key_values.length_count = -1);
  REFUSED("lengths", a.key_values.length_count = 1);
  REFUSED("lengths", a.key_values.length_count = INT64_MAX);
  REFUSED("lengths", a.key_lengths[0] = -1);
  REFUSED("lengths", a.key_lengths[0] = 6);
  REFUSED("lengths", a.key_lengths[0] = INT64_MAX);
  REFUSED("key_scales", a.key_values.key_scales = a.log_sum_exp);
  REFUSED("value_scales", a.key_values.value_scales = a.log_sum_exp);
}

static void check_results(void) {
  REFUSED("output", a.output.shape[0] = 1);
  REFUSED("output", a.output.shape[3] = 5);
  REFUSED("output", a.output.type = ATTENTION_BFLOAT16);
  REFUSED("output", a.output.type = ATTENTION_FLOAT64);
  REFUSED("log_sum_exp", a.log_sum_exp.shape[2] = 2);
  REFUSED("log_sum_exp", a.log_sum_exp.type = ATTENTION_FLOAT64);
  // What is not wanted is NULL, not all zeros.
  REFUSED("log_sum_exp", memset(&a.log_sum_exp, 0, sizeof a.log_sum_exp));
}

static void check_options(void) {
  static const double odd[] = {NAN, INFINITY, -INFINITY, -1, 1e300};
  double scale = NAN, slopes[4] = {1, 1, NAN, 1}, sinks[4] = {0};
  int64_t number = -1, huge[3] = {INT64_MAX, INT64_MIN, 0};
  for (int i = 0; i < 5; i++) {
    REFUSED("softcap", a.options.softcap = odd[i]);
    scale = odd[i];
    if (odd[i] != -1)
      REFUSED("scale", a.options.scale = &scale);
  }
  REFUSED("alignment", a.options.alignment = 3; a.options.causal = 1);
  REFUSED("alignment", a.options.alignment = -1);
  REFUSED("offsets", a.options.alignment = ATTENTION_OFFSETS; a.options.causal = 1);
  REFUSED("offsets", a.options.alignment = ATTENTION_OFFSETS; a.options.offset_count = 2;
          a.options.causal = 1);
  REFUSED("offsets", a.options.alignment = ATTENTION_OFFSETS; a.options.offsets = huge;
          a.options.offset_count = -1);
  REFUSED("offsets", a.options.alignment = ATTENTION_OFFSETS; a.options.offsets = huge;
          a.options.offset_count = 3; a.options.causal = 1);
  REFUSED("offsets", a.options.alignment = ATTENTION_OFFSETS; a.options.offsets = huge;
          a.options.offset_count = 1; a.options.causal = 1);
  REFUSED("offsets", a.options.alignment = ATTENTION_OFFSETS; a.options.offsets = huge;
          a.options.offset_count = 2; a.options.causal = 1);
  REFUSED("window_left", a.options.window_left = &number);
  REFUSED("window_right", a.options.window_right = &number);
  REFUSED("keeping_first", a.options.keeping_first = 1);
  REFUSED("keeping_first", a.options.window_left = huge; a.options.keeping_first = -1);
  REFUSED("alibi_slopes", a.options.alibi_slopes = slopes; a.options.alibi_slope_count = 4);
  REFUSED("alibi_slopes", a.options.alibi_slopes = slopes; a.options.alibi_slope_count = 2);
  REFUSED("alibi_slopes", a.options.alibi_slopes = slopes; a.options.alibi_slope_count = -4);
  REFUSED("alibi_slopes", a.options.alibi_slope_count = 4);
  REFUSED("sinks", a.options.sinks = sinks; a.options.sink_count = 3);
  REFUSED("sinks", a.options.sinks = sinks; a.options.sink_count = 0);
  REFUSED("sinks", a.options.sinks = sinks; a.options.sink_count = INT64_MIN);
  REFUSED("sinks", a.options.sink_count = 4);
  REFUSED("masks", a.options.mask_count = 1);
  REFUSED("masks", a.options.masks = &a.k.tensor; a.options.mask_count = -1);
  REFUSED("masks", a.options.masks = &a.k.tensor; a.options.mask_count = INT64_MAX);
}

static void check_masks(void) {
  struct attempt a;
  make_attempt(&a);
  struct room mask = make_input(ATTENTION_FLOAT32, 4, (int64_t[]){2, 4, 3, 5}, dense);
  FOR_EACH_ELEMENT (&mask.tensor, index)
    put(&mask.tensor, index, 0.5);
  attention_tensor described = mask.tensor;
  a.options.masks = &described;
  a.options.mask_count = 1;
  for (int axis = 0; axis < 4; axis++) {
    begin_case("a mask with too long an axis %d", axis);
    described.shape[axis] += 1;
    expect_refused(run_attempt(&a), ATTENTION_INVALID_ARGUMENT, "masks");
    described = mask.tensor;
  }
  static const attention_type types[] = {0, ATTENTION_INT8, ATTENTION_INT32, 99};
  for (int i = 0; i < 4; i++) {
    begin_case("a mask of type %d", types[i]);
    described.type = types[i];
    expect_refused(run_attempt(&a), ATTENTION_INVALID_ARGUMENT, "masks");
  }
  described = mask.tensor;
  begin_case("a mask without an address");
  described.data = NULL;
  expect_refused(run_attempt(&a), ATTENTION_INVALID_ARGUMENT, "masks");
  free_room(&mask);
  free_attempt(&a);
}

// Two threads whose texts stay apart.
static void *fail_often(void *name) {
  const int fails_queries = strcmp(name, "queries") == 0;
  int wrong = strcmp(CALL(attention_last_error)(), "") != 0;
  struct attempt a;
  make_attempt(&a);
  for (int i = 0; i < 3000; i++) {
    CALL(attention_run)(fails_queries ? NULL : &a.queries, fails_queries ? &a.key_values : NULL, NULL,
                        &a.output, NULL);
    wrong |= strncmp(CALL(attention_last_error)(), name, strlen(name)) != 0;
  }
  free_attempt(&a);
  return wrong ? name : NULL;
}

static void check_texts(void) {
  static char names[2][16] = {"queries", "key_values"};
  pthread_t threads[2];
  begin_case("two threads that fail");
  for (int i = 0; i < 2; i++)
    if (pthread_create(&threads[i], NULL, fail_often, names[i]))
      exit(2);
  for (int i = 0; i < 2; i++) {
    void *wrong;
    pthread_join(threads[i], &wrong);
    expect(!wrong, "the text of %s is another thread's", names[i]);
  }
}

void check_errors(void) {
  begin_subject("refusals");
  check_pointers();
  check_tensors();
  check_queries();
  check_padded();
  check_results();
  check_options();
  check_masks();
  check_texts();
}
