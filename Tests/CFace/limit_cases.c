// See limit_cases.h.

#include "limit_cases.h"

#include "check.h"
#include "rooms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct operands {
  struct room rooms[6];
  attention_cache *cache;
  attention_rotary *rotary;
  attention_sequence *sequence;
  int64_t *numbers;
  int64_t count;
  char path[64];
};

static struct operands *make_operands(void) {
  struct operands *operands = calloc(1, sizeof *operands);
  if (!operands)
    exit(2);
  return operands;
}

static struct room zeros(attention_type type, int rank, const int64_t *shape, enum layout layout) {
  struct room room = make_input(type, rank, shape, layout);
  memset(room.memory, 0, room.bytes);
  return room;
}

// MARK: - Attention

// Rows so wide that tiles of them are large.
static struct operands *wide(attention_type type, int64_t queries, int64_t keys, int64_t width) {
  struct operands *o = make_operands();
  o->rooms[0] = zeros(type, 4, (int64_t[]){1, 1, queries, width}, dense);
  o->rooms[1] = zeros(type, 4, (int64_t[]){1, 1, keys, width}, dense);
  o->rooms[2] = zeros(type, 4, (int64_t[]){1, 1, queries, width}, dense);
  return o;
}
static void *prepare_wide(void) { return wide(ATTENTION_FLOAT32, 6, 16, 1 << 18); }
static void *prepare_wide_halves(void) { return wide(ATTENTION_BFLOAT16, 6, 16, 1 << 18); }
static void *prepare_one_query(void) { return wide(ATTENTION_FLOAT32, 1, 16, 1 << 18); }

static attention_status run(void *operands) {
  struct operands *o = operands;
  const attention_queries queries = {.tensor = o->rooms[0].tensor};
  const attention_key_values key_values = {.keys = o->rooms[1].tensor, .values = o->rooms[1].tensor};
  return CALL(attention_run)(&queries, &key_values, NULL, &o->rooms[2].tensor, NULL);
}

// So many sequences that lists of them are large.
static void *prepare_sequences(void) {
  struct operands *o = make_operands();
  o->count = 1 << 17;
  o->numbers = calloc((size_t)o->count, sizeof *o->numbers);
  for (int64_t i = 0; i < o->count; i++)
    o->numbers[i] = 1;
  for (int i = 0; i < 3; i++)
    o->rooms[i] = zeros(ATTENTION_FLOAT32, 4, (int64_t[]){o->count, 1, 1, 1}, dense);
  return o;
}
static attention_status run_sequences(void *operands) {
  struct operands *o = operands;
  const attention_queries queries = {
      .tensor = o->rooms[0].tensor, .lengths = o->numbers, .length_count = o->count};
  const attention_key_values key_values = {.keys = o->rooms[1].tensor,
                                           .values = o->rooms[1].tensor,
                                           .lengths = o->numbers,
                                           .length_count = o->count};
  return CALL(attention_run)(&queries, &key_values, NULL, &o->rooms[2].tensor, NULL);
}

// MARK: - Other tensors

static void *prepare_merge(void) {
  struct operands *o = make_operands();
  for (int i = 0; i < 3; i++) {
    o->rooms[i] = zeros(ATTENTION_FLOAT32, 3, (int64_t[]){8, 512, 64}, i < 2 ? columns : dense);
    o->rooms[3 + i] = zeros(ATTENTION_FLOAT32, 2, (int64_t[]){8, 512}, dense);
  }
  return o;
}
static attention_status merge(void *operands) {
  struct operands *o = operands;
  const attention_tensor outputs[2] = {o->rooms[0].tensor, o->rooms[1].tensor},
                         sums[2] = {o->rooms[3].tensor, o->rooms[4].tensor};
  return CALL(attention_merge)(outputs, sums, 2, &o->rooms[2].tensor, &o->rooms[5].tensor);
}

static void *prepare_quantize(void) {
  struct operands *o = make_operands();
  o->rooms[0] = zeros(ATTENTION_FLOAT32, 2, (int64_t[]){1 << 15, 64}, dense);
  o->rooms[1] = zeros(ATTENTION_INT8, 2, (int64_t[]){1 << 15, 64}, dense);
  o->rooms[2] = zeros(ATTENTION_FLOAT32, 1, (int64_t[]){1 << 15}, dense);
  return o;
}
static attention_status quantize(void *operands) {
  struct operands *o = operands;
  return CALL(attention_quantize)(&o->rooms[0].tensor, &o->rooms[1].tensor, &o->rooms[2].tensor);
}

static void *prepare_nothing(void) { return make_operands(); }
static attention_status make_rotary(void *operands) {
  struct operands *o = operands;
  return CALL(attention_rotary_create)(64, 0, 1 << 15, 10000, 0, &o->rotary);
}
static void *prepare_rotary(void) {
  struct operands *o = make_operands();
  o->count = 1 << 15;
  o->numbers = calloc((size_t)o->count, sizeof *o->numbers);
  o->rooms[0] = zeros(ATTENTION_FLOAT64, 4, (int64_t[]){1, 1, o->count, 64}, dense);
  make_rotary(o);
  return o;
}
static attention_status turn(void *operands) {
  struct operands *o = operands;
  return CALL(attention_rotary_apply)(o->rotary, &o->rooms[0].tensor, o->numbers, o->count);
}
// MARK: - Caches

static const attention_cache_sizes large = {
    .layers = 1, .heads = 1, .depth = 4, .page_size = 1, .pages = 1 << 18};

static attention_status make_cache(void *operands) {
  struct operands *o = operands;
  return CALL(attention_cache_create)(&large, &o->cache);
}

static void *prepare_step(void) {
  struct operands *o = make_operands();
  make_cache(o);
  CALL(attention_sequence_create)(o->cache, &o->sequence);
  o->count = 1 << 17;
  o->numbers = calloc((size_t)o->count, sizeof *o->numbers);
  o->rooms[0] = zeros(ATTENTION_FLOAT32, 3, (int64_t[]){o->count, 1, 4}, dense);
  return o;
}
static attention_status append(void *operands) {
  struct operands *o = operands;
  attention_step *step = NULL;
  attention_status status = CALL(attention_step_create)(&o->sequence, 1, &o->count, o->numbers, &step);
  if (status == ATTENTION_OK)
    status = CALL(attention_step_write)(step, 0, &o->rooms[0].tensor, &o->rooms[0].tensor, NULL, NULL);
  if (status == ATTENTION_OK)
    status = CALL(attention_step_commit)(step);
  CALL(attention_step_destroy)(step);
  return status;
}

static void *prepare_fork(void) {
  struct operands *o = prepare_step();
  append(o);
  snprintf(o->path, sizeof o->path, "/tmp/attention-limit-%d", (int)getpid());
  return o;
}
static attention_status fork_sequence(void *operands) {
  attention_sequence *fork = NULL;
  return CALL(attention_sequence_fork)(((struct operands *)operands)->sequence, &fork);
}
static attention_status reuse(void *operands) {
  struct operands *o = operands;
  attention_sequence *sequence = NULL;
  return CALL(attention_sequence_create_reusing)(o->cache, o->numbers, o->count, &sequence);
}
static attention_status save(void *operands) {
  struct operands *o = operands;
  const attention_status status = CALL(attention_sequence_save)(o->sequence, o->path);
  remove(o->path);
  return status;
}
static void *prepare_load(void) {
  struct operands *o = prepare_fork();
  CALL(attention_sequence_save)(o->sequence, o->path);
  return o;
}
static attention_status load(void *operands) {
  struct operands *o = operands;
  attention_sequence *sequence = NULL;
  const attention_status status = CALL(attention_sequence_load)(o->cache, o->path, &sequence);
  if (status == ATTENTION_OK)
    remove(o->path);
  return status;
}

const struct limit_case limit_cases[] = {{"attention over wide rows", prepare_wide, run},
                                         {"attention over wide halves", prepare_wide_halves, run},
                                         {"attention of one wide query", prepare_one_query, run},
                                         {"attention of many sequences", prepare_sequences, run_sequences},
                                         {"merge", prepare_merge, merge},
                                         {"quantize", prepare_quantize, quantize},
                                         {"tables of an embedding", prepare_nothing, make_rotary},
                                         {"tables in double", prepare_rotary, turn},
                                         {"a cache", prepare_nothing, make_cache},
                                         {"a step of many tokens", prepare_step, append},
                                         {"a fork of many tokens", prepare_fork, fork_sequence},
                                         {"many tokens reused", prepare_fork, reuse},
                                         {"many tokens saved", prepare_fork, save},
                                         {"many tokens loaded", prepare_load, load},
                                         {0}};
