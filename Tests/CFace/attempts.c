// See attempts.h.

#include "attempts.h"

#include <stdlib.h>
#include <string.h>

static void fill(struct room *room, struct random *random) {
  FOR_EACH_ELEMENT (&room->tensor, index)
    put(&room->tensor, index, random_unit(random));
}

void make_attempt(struct attempt *a) {
  struct random random = {11};
  *a = (struct attempt){.query_lengths = {3, 2},
                        .key_lengths = {5, 4},
                        .q = make_input(ATTENTION_FLOAT32, 4, (int64_t[]){2, 4, 3, 8}, dense),
                        .k = make_input(ATTENTION_FLOAT32, 4, (int64_t[]){2, 2, 5, 8}, dense),
                        .v = make_input(ATTENTION_FLOAT32, 4, (int64_t[]){2, 2, 5, 6}, dense),
                        .output_room = make_result(ATTENTION_FLOAT32, 4, (int64_t[]){2, 4, 3, 6}, dense),
                        .log_sum_exp_room = make_result(ATTENTION_FLOAT32, 3, (int64_t[]){2, 4, 3}, dense)};
  fill(&a->q, &random);
  fill(&a->k, &random);
  fill(&a->v, &random);
  a->queries = (attention_queries){.tensor = a->q.tensor, .lengths = a->query_lengths, .length_count = 2};
  a->key_values = (attention_key_values){.source = ATTENTION_PADDED,
                                         .keys = a->k.tensor,
                                         .values = a->v.tensor,
                                         .lengths = a->key_lengths,
                                         .length_count = 2};
  a->output = a->output_room.tensor;
  a->log_sum_exp = a->log_sum_exp_room.tensor;
}

void free_attempt(struct attempt *a) {
  free_room(&a->q);
  free_room(&a->k);
  free_room(&a->v);
  free_room(&a->output_room);
  free_room(&a->log_sum_exp_room);
}

static attention_status run(struct attempt *a) {
  return CALL(attention_run)(&a->queries, &a->key_values, &a->options, &a->output, &a->log_sum_exp);
}

void refuse_run(struct attempt *a, attention_status code, const char *argument) {
  expect_refused(run(a), code, argument);
  expect(!wrote_anything(&a->output_room) && !wrote_anything(&a->log_sum_exp_room),
         "wrote before it refused");
}

void expect_run(struct attempt *a) { expect_ok(run(a)); }

static void refuse(attention_tensor *tensor, const attention_tensor *bad, const char *what,
                   const char *argument, attempt_function call, void *context) {
  const attention_tensor good = *tensor;
  begin_case("%s with %s", argument, what);
  *tensor = *bad;
  expect_refused(call(context), ATTENTION_INVALID_ARGUMENT, argument);
  *tensor = good;
}

void refuse_bad_tensors(attention_tensor *tensor, const char *argument, attempt_function call,
                        void *context) {
  const attention_tensor good = *tensor;
  attention_tensor bad;
#define BAD(what, change)                                                                                    \
  bad = good;                                                                                                \
  change;                                                                                                    \
  refuse(tensor, &bad, what, argument, call, context)
  BAD("no address", bad.data = NULL);
  static const attention_type types[] = {0, -1, 8, INT32_MAX, INT32_MIN, ATTENTION_INT32, ATTENTION_BOOL};
  for (int i = 0; i < 7; i++)
    if (types[i] != good.type) {
      BAD("another type", bad.type = types[i]);
    }
  static const int32_t ranks[] = {0, -1, 5, INT32_MAX, INT32_MIN};
  for (int i = 0; i < 5; i++) {
    BAD("such a rank", bad.rank = ranks[i]);
  }
  // Scales of another rank are told of the integers.
  if (!strstr(argument, "key_scales")) {
    BAD("an axis less", if (--bad.rank == 0) bad.rank = 3);
  }
  for (int axis = 0; axis < good.rank; axis++) {
    BAD("a negative length", bad.shape[axis] = -1);
    BAD("the least length", bad.shape[axis] = INT64_MIN);
    BAD("the largest length", bad.shape[axis] = INT64_MAX);
    BAD("the largest stride", bad.strides[axis] = INT64_MAX);
    BAD("the least stride", bad.strides[axis] = INT64_MIN);
    BAD("a stride whose bytes overflow", bad.strides[axis] = INT64_MAX / 4);
  }
  for (size_t byte = 1; byte < size_of_type(good.type); byte++) {
    BAD("a misaligned address", bad.data = (char *)bad.data + byte);
  }
  BAD("lengths whose product overflows",
      for (int axis = 0; axis < good.rank; axis++) bad.shape[axis] = INT64_C(1) << 62;
      if (good.rank == 1) bad.shape[0] = -2);
#undef BAD
  begin_case("%s as it was", argument);
  expect_ok(call(context));
}

void refuse_overlaps(attention_tensor *tensor, const char *argument, attempt_function call, void *context) {
  const attention_tensor good = *tensor;
  for (int axis = 0; axis < good.rank; axis++) {
    if (good.shape[axis] < 2)
      continue;
    attention_tensor bad = good;
    bad.strides[axis] = 0;
    refuse(tensor, &bad, "a stride of 0", argument, call, context);
    if (axis + 1 < good.rank && good.shape[axis + 1] > 1) {
      bad.strides[axis] = good.strides[axis + 1];
      refuse(tensor, &bad, "two equal strides", argument, call, context);
    }
  }
}

attention_status run_attempt(void *context) {
  struct attempt *a = context;
  clear_result(&a->output_room);
  clear_result(&a->log_sum_exp_room);
  const attention_status status =
      CALL(attention_run)(&a->queries, &a->key_values, &a->options, &a->output, &a->log_sum_exp);
  if (status != ATTENTION_OK)
    expect(!wrote_anything(&a->output_room) && !wrote_anything(&a->log_sum_exp_room),
           "wrote before it refused");
  return status;
}
