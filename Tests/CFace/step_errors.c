// What is wrong with the arguments of steps, and with calls out of order.

#include "attempts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const attention_cache_sizes sizes = {.layers = 2,
                                            .heads = 2,
                                            .depth = 8,
                                            .width = 6,
                                            .keys = ATTENTION_CACHE_INT8,
                                            .values = ATTENTION_CACHE_FLOAT32,
                                            .page_size = 4,
                                            .pages = 8};

struct writing {
  attention_step *step;
  struct room k, v;
  attention_tensor keys, values;
  attention_rotary *rotary;
};

static attention_status write_layer(void *context) {
  struct writing *w = context;
  return CALL(attention_step_write)(w->step, 0, &w->keys, &w->values, w->rotary, NULL);
}

// Two caches and sequences of each.
struct stage {
  attention_cache *caches[2];
  attention_sequence *sequences[3];
};

static struct stage make_stage(void) {
  struct stage stage = {0};
  for (int i = 0; i < 2; i++)
    expect_ok(CALL(attention_cache_create)(&sizes, &stage.caches[i]));
  for (int i = 0; i < 3; i++)
    expect_ok(CALL(attention_sequence_create)(stage.caches[i == 2], &stage.sequences[i]));
  return stage;
}

static void free_stage(struct stage *stage) {
  for (int i = 0; i < 3; i++)
    CALL(attention_sequence_destroy)(stage->sequences[i]);
  for (int i = 0; i < 2; i++) {
    expect(CALL(attention_cache_free_pages)(stage->caches[i]) == sizes.pages, "pages were kept");
    CALL(attention_cache_destroy)(stage->caches[i]);
  }
}

static void check_creation(void) {
  begin_subject("refusals of attention_step_create");
  struct stage s = make_stage();
  attention_step *none = NULL;
  attention_sequence *twice[2] = {s.sequences[0], s.sequences[0]},
                     *strangers[2] = {s.sequences[0], s.sequences[2]}, *missing[2] = {s.sequences[0], NULL};
  const int64_t tokens[64] = {0};
#define REFUSE(code, argument, sequences, count, ...)                                                        \
  do {                                                                                                       \
    begin_case("%s", #sequences ", " #count ", " #__VA_ARGS__);                                              \
    expect_refused(CALL(attention_step_create)(sequences, count, __VA_ARGS__, &none), code, argument);       \
    expect(!none, "a handle was made");                                                                      \
  } while (0)
  static const int64_t ones[2] = {1, 1}, negative[2] = {1, -1}, least[2] = {INT64_MIN, 1},
                       huge[2] = {INT64_MAX, INT64_MAX}, many[2] = {INT32_MAX, INT32_MAX}, full[2] = {30, 30};
  REFUSE(1, "sequences", NULL, 2, ones, NULL);
  REFUSE(1, "sequences", s.sequences, 0, ones, NULL);
  REFUSE(1, "sequences", s.sequences, -1, ones, NULL);
  REFUSE(1, "sequences", s.sequences, INT64_MAX, ones, NULL);
  REFUSE(1, "sequences", missing, 2, ones, NULL);
  REFUSE(1, "sequences", twice, 2, ones, NULL);
  REFUSE(1, "sequences", strangers, 2, ones, NULL);
  REFUSE(1, "counts", s.sequences, 2, NULL, NULL);
  REFUSE(1, "counts", s.sequences, 2, negative, NULL);
  REFUSE(1, "counts", s.sequences, 2, negative, tokens);
  REFUSE(1, "counts", s.sequences, 2, least, tokens);
  REFUSE(1, "counts", s.sequences, 2, huge, NULL);
  REFUSE(1, "counts", s.sequences, 2, huge, tokens);
  REFUSE(1, "counts", s.sequences, 2, many, tokens);
  REFUSE(2, "pages", s.sequences, 2, full, NULL);
  REFUSE(2, "pages", s.sequences, 2, full, tokens);
#undef REFUSE
  begin_case("no place for the step, and an open one");
  expect_refused(CALL(attention_step_create)(s.sequences, 2, ones, NULL, NULL), ATTENTION_INVALID_ARGUMENT,
                 "step");
  attention_step *open = NULL;
  attention_sequence *fork = NULL;
  expect_ok(CALL(attention_step_create)(s.sequences, 2, ones, NULL, &open));
  expect_refused(CALL(attention_step_create)(s.sequences, 1, ones, NULL, &none), ATTENTION_INVALID_ARGUMENT,
                 "sequences");
  expect_refused(CALL(attention_sequence_fork)(s.sequences[0], &fork), ATTENTION_INVALID_ARGUMENT,
                 "sequence");
  expect_refused(CALL(attention_sequence_truncate)(s.sequences[0], 0), ATTENTION_INVALID_ARGUMENT,
                 "sequence");
  expect(!none && !fork, "a handle was made");
  CALL(attention_step_destroy)(open);
  CALL(attention_step_destroy)(NULL);
  // Beyond what a ring takes at once.
  attention_sequence *ring = NULL;
  expect_ok(CALL(attention_sequence_create_ring)(s.caches[0], 4, 0, 2, &ring));
  expect_refused(CALL(attention_step_create)(&ring, 1, (int64_t[]){3}, NULL, &none),
                 ATTENTION_INVALID_ARGUMENT, "counts");
  CALL(attention_sequence_destroy)(ring);
  free_stage(&s);
}

static void check_calls_of(struct writing *w, struct stage *s) {
  int64_t positions[4] = {-7, -7, -7, -7};
  begin_case("layers and NULL");
  static const int64_t layers[] = {-1, 2, INT64_MAX, INT64_MIN};
  for (int i = 0; i < 4; i++)
    expect_refused(CALL(attention_step_write)(w->step, layers[i], &w->keys, &w->values, NULL, NULL),
                   ATTENTION_INVALID_ARGUMENT, "layer");
  expect_refused(CALL(attention_step_write)(NULL, 0, &w->keys, &w->values, NULL, NULL),
                 ATTENTION_INVALID_ARGUMENT, "step");
  expect_refused(CALL(attention_step_write)(w->step, 0, NULL, &w->values, NULL, NULL),
                 ATTENTION_INVALID_ARGUMENT, "keys");
  expect_refused(CALL(attention_step_write)(w->step, 0, &w->keys, NULL, NULL, NULL),
                 ATTENTION_INVALID_ARGUMENT, "values");
  expect_refused(CALL(attention_step_positions)(NULL, positions, 3), ATTENTION_INVALID_ARGUMENT, "step");
  expect_refused(CALL(attention_step_positions)(w->step, NULL, 3), ATTENTION_INVALID_ARGUMENT, "positions");
  static const int64_t counts[] = {2, 4, -1, INT64_MAX, INT64_MIN};
  for (int i = 0; i < 5; i++)
    expect_refused(CALL(attention_step_positions)(w->step, positions, counts[i]), ATTENTION_INVALID_ARGUMENT,
                   "count");
  expect(positions[0] == -7, "wrote positions");
  expect_refused(CALL(attention_step_commit)(NULL), ATTENTION_INVALID_ARGUMENT, "step");
  begin_case("NaN in an INT8 row");
  put(&w->keys, (int64_t[4]){1, 1, 3}, NAN);
  expect_refused(write_layer(w), ATTENTION_INVALID_ARGUMENT, "keys");
  put(&w->keys, (int64_t[4]){1, 1, 3}, 0);
  begin_case("an embedding of other rows, and one that is too short");
  for (int64_t i = 0; i < 2; i++) {
    expect_ok(CALL(attention_rotary_create)(i ? 8 : 6, 0, i ? 1 : 8, 1e4, 0, &w->rotary));
    expect_refused(write_layer(w), ATTENTION_INVALID_ARGUMENT, "rotary");
    CALL(attention_rotary_destroy)(w->rotary);
    w->rotary = NULL;
  }
  begin_case("a commit before all layers");
  expect_ok(write_layer(w));
  expect_refused(CALL(attention_step_commit)(w->step), ATTENTION_INVALID_ARGUMENT, "step");
  expect(CALL(attention_sequence_count)(s->sequences[0]) == 0, "tokens of a step that was not committed");
}

// What a committed step still refuses.
static void check_ended(struct writing *w) {
  int64_t positions[3];
  begin_case("a step that was committed");
  expect_ok(CALL(attention_step_write)(w->step, 1, &w->keys, &w->values, NULL, NULL));
  expect_ok(CALL(attention_step_commit)(w->step));
  expect_refused(CALL(attention_step_commit)(w->step), ATTENTION_INVALID_ARGUMENT, "step");
  expect_refused(write_layer(w), ATTENTION_INVALID_ARGUMENT, "step");
  expect_refused(CALL(attention_step_positions)(w->step, positions, 3), ATTENTION_INVALID_ARGUMENT, "step");
  struct attempt a;
  make_attempt(&a);
  a.key_values = (attention_key_values){.source = ATTENTION_STEP, .step = w->step};
  refuse_run(&a, ATTENTION_INVALID_ARGUMENT, "step");
  free_attempt(&a);
}

static void check_sources_of(struct stage *s) {
  begin_case("sequences of two caches, layers");
  struct attempt a;
  make_attempt(&a);
  const attention_sequence *strangers[2] = {s->sequences[0], s->sequences[2]},
                           *missing[2] = {s->sequences[0], NULL},
                           *both[2] = {s->sequences[0], s->sequences[1]};
  a.key_values =
      (attention_key_values){.source = ATTENTION_SEQUENCES, .sequences = strangers, .sequence_count = 2};
  refuse_run(&a, ATTENTION_INVALID_ARGUMENT, "sequences");
  a.key_values.sequences = missing;
  refuse_run(&a, ATTENTION_INVALID_ARGUMENT, "sequences");
  a.key_values.sequences = both;
  static const int64_t layers[] = {-1, 2, INT64_MAX, INT64_MIN};
  for (int i = 0; i < 4; i++) {
    a.key_values.layer = layers[i];
    refuse_run(&a, ATTENTION_INVALID_ARGUMENT, "layer");
  }
  a.key_values.layer = 1;
  expect_run(&a);
  free_attempt(&a);
}

void check_step_errors(void) {
  check_creation();
  begin_subject("refusals of steps");
  struct stage s = make_stage();
  struct writing w = {.k = make_input(ATTENTION_FLOAT32, 3, (int64_t[]){3, 2, 8}, dense),
                      .v = make_input(ATTENTION_FLOAT32, 3, (int64_t[]){3, 2, 6}, dense)};
  FOR_EACH_ELEMENT (&w.k.tensor, index)
    put(&w.k.tensor, index, 1);
  FOR_EACH_ELEMENT (&w.v.tensor, index)
    put(&w.v.tensor, index, 1);
  w.keys = w.k.tensor;
  w.values = w.v.tensor;
  expect_ok(CALL(attention_step_create)(s.sequences, 2, (int64_t[]){1, 2}, NULL, &w.step));
  refuse_bad_tensors(&w.keys, "keys", write_layer, &w);
  refuse_bad_tensors(&w.values, "values", write_layer, &w);
  check_calls_of(&w, &s);
  check_ended(&w);
  CALL(attention_step_destroy)(w.step);
  check_sources_of(&s);
  free_room(&w.k);
  free_room(&w.v);
  free_stage(&s);
}
