// What is wrong with the arguments of the other functions on tensors, and with those that make pools and
// embeddings.

#include "attempts.h"

#include <math.h>
#include <stdlib.h>

struct merge {
  attention_tensor outputs[2], sums[2], output, sum;
  int64_t count;
  struct room output_room, sum_room;
};

static attention_status merge(void *context) {
  struct merge *m = context;
  clear_result(&m->output_room);
  clear_result(&m->sum_room);
  const attention_status status = CALL(attention_merge)(m->outputs, m->sums, m->count, &m->output, &m->sum);
  if (status != ATTENTION_OK)
    expect(!wrote_anything(&m->output_room) && !wrote_anything(&m->sum_room), "wrote before it refused");
  return status;
}

static void refuse_merge(struct merge *m, const char *argument) {
  expect_refused(merge(m), ATTENTION_INVALID_ARGUMENT, argument);
}

static void check_merges(void) {
  begin_subject("refusals of attention_merge");
  static float numbers[2][12], sums[2][4];
  struct merge good = {.count = 2,
                       .output_room = make_result(ATTENTION_FLOAT32, 3, (int64_t[]){2, 2, 3}, dense),
                       .sum_room = make_result(ATTENTION_FLOAT32, 2, (int64_t[]){2, 2}, dense)};
  for (int i = 0; i < 2; i++) {
    good.outputs[i] = attention_dense(numbers[i], ATTENTION_FLOAT32, 3, (int64_t[]){2, 2, 3});
    good.sums[i] = attention_dense(sums[i], ATTENTION_FLOAT32, 2, (int64_t[]){2, 2});
  }
  good.output = good.output_room.tensor;
  good.sum = good.sum_room.tensor;
  struct merge m = good;
  refuse_bad_tensors(&m.outputs[1], "outputs", merge, &m);
  refuse_bad_tensors(&m.sums[1], "log_sum_exps", merge, &m);
  refuse_bad_tensors(&m.output, "output", merge, &m);
  refuse_bad_tensors(&m.sum, "log_sum_exp", merge, &m);
  refuse_overlaps(&m.output, "output", merge, &m);
  refuse_overlaps(&m.sum, "log_sum_exp", merge, &m);
  begin_case("counts and NULL");
  m.count = 0;
  refuse_merge(&m, "outputs");
  m.count = -1;
  refuse_merge(&m, "outputs");
  m.count = INT64_MAX;
  refuse_merge(&m, "outputs");
  expect_refused(CALL(attention_merge)(NULL, m.sums, 2, &m.output, &m.sum), ATTENTION_INVALID_ARGUMENT,
                 "outputs");
  expect_refused(CALL(attention_merge)(m.outputs, NULL, 2, &m.output, &m.sum), ATTENTION_INVALID_ARGUMENT,
                 "log_sum_exps");
  expect_refused(CALL(attention_merge)(m.outputs, m.sums, 2, NULL, &m.sum), ATTENTION_INVALID_ARGUMENT,
                 "output");
  expect_refused(CALL(attention_merge)(m.outputs, m.sums, 2, &m.output, NULL), ATTENTION_INVALID_ARGUMENT,
                 "log_sum_exp");
  free_room(&good.output_room);
  free_room(&good.sum_room);
}

struct rounding {
  struct room numbers_room, integers_room, scales_room;
  attention_tensor numbers, integers, scales;
};

static attention_status quantize(void *context) {
  struct rounding *r = context;
  clear_result(&r->integers_room);
  clear_result(&r->scales_room);
  const attention_status status = CALL(attention_quantize)(&r->numbers, &r->integers, &r->scales);
  if (status != ATTENTION_OK)
    expect(!wrote_anything(&r->integers_room) && !wrote_anything(&r->scales_room), "wrote before it refused");
  return status;
}

static void check_quantized(void) {
  begin_subject("refusals of attention_quantize");
  struct rounding r = {.numbers_room = make_input(ATTENTION_FLOAT32, 3, (int64_t[]){2, 2, 5}, dense),
                       .integers_room = make_result(ATTENTION_INT8, 3, (int64_t[]){2, 2, 5}, dense),
                       .scales_room = make_result(ATTENTION_FLOAT32, 2, (int64_t[]){2, 2}, dense)};
  FOR_EACH_ELEMENT (&r.numbers_room.tensor, index)
    put(&r.numbers_room.tensor, index, 1);
  r.numbers = r.numbers_room.tensor;
  r.integers = r.integers_room.tensor;
  r.scales = r.scales_room.tensor;
  refuse_bad_tensors(&r.integers, "integers", quantize, &r);
  refuse_bad_tensors(&r.scales, "scales", quantize, &r);
  refuse_overlaps(&r.integers, "integers", quantize, &r);
  refuse_overlaps(&r.scales, "scales", quantize, &r);
  static const double odd[] = {NAN, INFINITY, -INFINITY};
  for (int i = 0; i < 3; i++) {
    begin_case("%g in a row", odd[i]);
    put(&r.numbers, (int64_t[4]){1, 0, 4}, odd[i]);
    expect_refused(quantize(&r), ATTENTION_INVALID_ARGUMENT, "numbers");
  }
  begin_case("NULL");
  expect_refused(CALL(attention_quantize)(NULL, &r.integers, &r.scales), ATTENTION_INVALID_ARGUMENT,
                 "numbers");
  put(&r.numbers, (int64_t[4]){1, 0, 4}, 1);
  expect_refused(CALL(attention_quantize)(&r.numbers, NULL, &r.scales), ATTENTION_INVALID_ARGUMENT,
                 "integers");
  expect_refused(CALL(attention_quantize)(&r.numbers, &r.integers, NULL), ATTENTION_INVALID_ARGUMENT,
                 "scales");
  begin_case("numbers of type INT8, and of no columns");
  r.numbers.type = ATTENTION_INT8;
  expect_refused(quantize(&r), ATTENTION_INVALID_ARGUMENT, "numbers");
  r.numbers.type = ATTENTION_FLOAT32;
  r.numbers.shape[2] = 0;
  expect_refused(quantize(&r), ATTENTION_INVALID_ARGUMENT, "numbers");
  free_room(&r.numbers_room);
  free_room(&r.integers_room);
  free_room(&r.scales_room);
}

struct turn {
  attention_rotary *rotary;
  struct room room;
  attention_tensor tensor;
  int64_t positions[3];
};

static attention_status turn(void *context) {
  struct turn *t = context;
  return CALL(attention_rotary_apply)(t->rotary, &t->tensor, t->positions, 3);
}

static void check_rotaries(void) {
  begin_subject("refusals of attention_rotary_create");
  static const struct {
    int64_t depth, rotated, positions;
    double base;
    const char *argument;
  } wrong[] = {{0, 0, 8, 1e4, "depth"},
               {-1, 0, 8, 1e4, "depth"},
               {INT64_MAX, 0, 8, 1e4, "depth"},
               {7, 0, 8, 1e4, "rotated"},
               {8, 3, 8, 1e4, "rotated"},
               {8, -2, 8, 1e4, "rotated"},
               {8, 10, 8, 1e4, "rotated"},
               {8, INT64_MIN, 8, 1e4, "rotated"},
               {8, 0, 0, 1e4, "positions"},
               {8, 0, -1, 1e4, "positions"},
               {8, 0, INT64_MAX, 1e4, "positions"},
               {8, 0, 8, 0, "base"},
               {8, 0, 8, -1, "base"},
               {8, 0, 8, NAN, "base"},
               {8, 0, 8, INFINITY, "base"}};
  struct turn t = {.positions = {0, 1, 7}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    begin_case("depth %lld, rotated %lld, positions %lld, base %g", (long long)wrong[i].depth,
               (long long)wrong[i].rotated, (long long)wrong[i].positions, wrong[i].base);
    expect_refused(CALL(attention_rotary_create)(wrong[i].depth, wrong[i].rotated, wrong[i].positions,
                                                 wrong[i].base, 0, &t.rotary),
                   ATTENTION_INVALID_ARGUMENT, wrong[i].argument);
    expect(!t.rotary, "a handle was made");
  }
  expect_refused(CALL(attention_rotary_create)(8, 0, 8, 1e4, 0, NULL), ATTENTION_INVALID_ARGUMENT, "rotary");
  CALL(attention_rotary_destroy)(NULL);

  begin_subject("refusals of attention_rotary_apply");
  expect_ok(CALL(attention_rotary_create)(8, 0, 8, 1e4, 0, &t.rotary));
  t.room = make_result(ATTENTION_FLOAT32, 4, (int64_t[]){2, 2, 3, 8}, dense);
  t.tensor = t.room.tensor;
  refuse_bad_tensors(&t.tensor, "tensor", turn, &t);
  refuse_overlaps(&t.tensor, "tensor", turn, &t);
  clear_result(&t.room);
  static const int64_t odd[] = {-1, 8, INT64_MAX, INT64_MIN};
  for (int i = 0; i < 4; i++) {
    begin_case("position %lld", (long long)odd[i]);
    t.positions[1] = odd[i];
    expect_refused(turn(&t), ATTENTION_INVALID_ARGUMENT, "positions");
  }
  begin_case("counts and NULL");
  t.positions[1] = 1;
  expect_refused(CALL(attention_rotary_apply)(NULL, &t.tensor, t.positions, 3), ATTENTION_INVALID_ARGUMENT,
                 "rotary");
  expect_refused(CALL(attention_rotary_apply)(t.rotary, NULL, t.positions, 3), ATTENTION_INVALID_ARGUMENT,
                 "tensor");
  expect_refused(CALL(attention_rotary_apply)(t.rotary, &t.tensor, NULL, 3), ATTENTION_INVALID_ARGUMENT,
                 "positions");
  expect_refused(CALL(attention_rotary_apply)(t.rotary, &t.tensor, t.positions, 2),
                 ATTENTION_INVALID_ARGUMENT, "positions");
  expect_refused(CALL(attention_rotary_apply)(t.rotary, &t.tensor, t.positions, -1),
                 ATTENTION_INVALID_ARGUMENT, "positions");
  t.tensor.shape[3] = 7;
  expect_refused(turn(&t), ATTENTION_INVALID_ARGUMENT, "tensor");
  expect(!wrote_anything(&t.room), "wrote before it refused");
  free_room(&t.room);
  CALL(attention_rotary_destroy)(t.rotary);
}

static void check_pools(void) {
  begin_subject("refusals of attention_threads_create");
  static const int64_t counts[] = {0, -1, 1025, INT64_MAX, INT64_MIN};
  attention_threads *threads = NULL;
  for (int i = 0; i < 5; i++)
    expect_refused(CALL(attention_threads_create)(counts[i], &threads), ATTENTION_INVALID_ARGUMENT, "count");
  expect_refused(CALL(attention_threads_create)(1, NULL), ATTENTION_INVALID_ARGUMENT, "threads");
  expect(!threads, "a handle was made");
}

void check_function_errors(void) {
  check_merges();
  check_quantized();
  check_rotaries();
  check_pools();
}
