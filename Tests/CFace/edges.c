// Dense tensors by their definition, empty calls, and what NaN reaches.

#include "attempts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_dense(void) {
  begin_subject("attention_dense");
  struct random random = {17};
  for (int i = 0; i < 200; i++) {
    const int32_t rank = (int32_t)random_from(&random, 1, 4);
    int64_t shape[4], step = 1;
    for (int axis = 0; axis < 4; axis++)
      shape[axis] = random_from(&random, 0, 5);
    const attention_tensor tensor = CALL(attention_dense)(&shape, ATTENTION_FLOAT16, rank, shape);
    begin_case("rank %d", rank);
    expect(tensor.data == (void *)&shape && tensor.type == ATTENTION_FLOAT16 && tensor.rank == rank,
           "another tensor");
    for (int axis = 3; axis >= 0; axis--) {
      const int64_t length = axis < rank ? shape[axis] : 0, stride = axis < rank ? step : 0;
      expect(tensor.shape[axis] == length && tensor.strides[axis] == stride,
             "axis %d: length %lld and stride %lld", axis, (long long)tensor.shape[axis],
             (long long)tensor.strides[axis]);
      step *= axis < rank && length > 1 ? length : 1;
    }
  }
  // What is wrong with it the call says that it is given to.
  static const int32_t ranks[] = {0, -1, 5, INT32_MAX, INT32_MIN};
  int64_t huge[4] = {INT64_MAX, INT64_MAX, INT64_MIN, -1};
  for (int i = 0; i < 5; i++)
    expect(CALL(attention_dense)(NULL, 99, ranks[i], huge).rank == ranks[i], "another rank");
  expect(CALL(attention_dense)(NULL, 99, 4, huge).shape[2] == INT64_MIN, "another shape");
  expect(CALL(attention_dense)(NULL, 99, 4, NULL).shape[0] == 0, "a shape from nowhere");
}

// No sequence, no query, no key: nothing is read through an address that is NULL.
static void check_empty(void) {
  begin_subject("empty calls");
  for (int axis = 0; axis < 3; axis++) {
    struct attempt a;
    make_attempt(&a);
    begin_case("axis %d of length 0", axis);
    a.queries.lengths = a.key_values.lengths = NULL;
    a.queries.length_count = a.key_values.length_count = 0;
    attention_tensor *const tensors[] = {&a.queries.tensor, &a.key_values.keys, &a.key_values.values,
                                         &a.output, &a.log_sum_exp};
    for (int i = 0; i < 5; i++) {
      // Of the axis of rows, keys and values keep theirs.
      if (axis == 2 && (i == 1 || i == 2))
        continue;
      tensors[i]->shape[axis] = 0;
      tensors[i]->data = NULL;
    }
    expect_run(&a);
    expect(!wrote_anything(&a.output_room), "wrote into an empty output");
    free_attempt(&a);
  }
  struct attempt a;
  make_attempt(&a);
  begin_case("no key");
  a.key_lengths[0] = a.key_lengths[1] = 0;
  a.key_values.keys.data = a.key_values.values.data = NULL;
  a.key_values.keys.shape[2] = a.key_values.values.shape[2] = 0;
  expect_run(&a);
  FOR_EACH_ELEMENT (&a.output, index)
    expect(get(&a.output, index) == 0, "an output without keys is not 0");
  FOR_EACH_ELEMENT (&a.log_sum_exp, at)
    expect(get(&a.log_sum_exp, at) == -INFINITY, "a log-sum-exp without keys is not −∞");
  free_attempt(&a);
}

// NaN in a key that is seen reaches all queries of its sequence and heads, in one that is not, none.
static void check_nan(void) {
  begin_subject("NaN");
  for (int is_seen = 0; is_seen < 2; is_seen++) {
    struct attempt a;
    make_attempt(&a);
    begin_case("in a key that is %s", is_seen ? "seen" : "past the length");
    put(&a.key_values.keys, (int64_t[4]){1, 0, is_seen ? 3 : 4, 2}, NAN);
    expect_run(&a);
    FOR_EACH_ELEMENT (&a.output, index) {
      const int reached = is_seen && index[0] == 1 && index[1] < 2 && index[2] < 2;
      expect(!isnan(get(&a.output, index)) == !reached, "output [%lld, %lld, %lld] is %g",
             (long long)index[0], (long long)index[1], (long long)index[2], get(&a.output, index));
    }
    free_attempt(&a);
  }
}

// NULL for options is all zeros, and a size that no int holds is no error of a text.
static void check_defaults(void) {
  begin_subject("defaults");
  struct attempt a;
  make_attempt(&a);
  expect_run(&a);
  const uint64_t bits = hash_elements(HASH_START, &a.output);
  clear_result(&a.output_room);
  expect_ok(CALL(attention_run)(&a.queries, &a.key_values, NULL, &a.output, NULL));
  expect(hash_elements(HASH_START, &a.output) == bits, "other bits without options");
  char *text = calloc(1, 1 << 16);
  if (!text)
    exit(2);
  size_t length = 0;
  expect_ok(CALL(attention_describe)(&a.queries, &a.key_values, NULL, text, SIZE_MAX, &length));
  expect(strlen(text) == length && length > 0, "%zu bytes of text, expected %zu", strlen(text), length);
  free(text);
  free_attempt(&a);
}

void check_edges(void) {
  check_dense();
  check_empty();
  check_nan();
  check_defaults();
}
