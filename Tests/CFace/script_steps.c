// Steps of a script, and attention over their sequences.

#include "check.h"
#include "rooms.h"
#include "script.h"
#include "tolerance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double *doubles(int64_t count) {
  double *memory = calloc((size_t)count + 1, sizeof *memory);
  if (!memory)
    exit(2);
  return memory;
}

// The numbers of a call: `queries` of a sequence each, over the members' models with what the step appends.
struct call {
  struct reference reference;
  double *q, *k, *v;
  // Of the window of a ring; negative without one.
  int64_t left;
  int64_t query_lengths[most_live], key_lengths[most_live], offsets[most_live];
};

static void gather(const struct script *s, int64_t layer, int64_t queries, struct call *call) {
  const attention_cache_sizes *sizes = &s->sizes;
  const int64_t width = sizes->width ? sizes->width : sizes->depth, heads = sizes->heads * s->groups;
  int64_t keys = 0;
  for (int b = 0; b < s->stepping; b++) {
    call->key_lengths[b] = s->models[s->members[b]].count + s->counts[b];
    keys = call->key_lengths[b] > keys ? call->key_lengths[b] : keys;
    call->offsets[b] = call->key_lengths[b] - call->query_lengths[b];
  }
  call->k = doubles(s->stepping * sizes->heads * keys * sizes->depth);
  call->v = doubles(s->stepping * sizes->heads * keys * width);
  for (int b = 0; b < s->stepping; b++)
    for (int64_t h = 0; h < sizes->heads; h++)
      for (int64_t t = 0; t < call->key_lengths[b]; t++) {
        const int64_t row = (b * sizes->heads + h) * keys + t;
        const struct model *model = &s->models[s->members[b]];
        memcpy(call->k + row * sizes->depth, model_key(model, layer, t, h),
               (size_t)sizes->depth * sizeof(double));
        memcpy(call->v + row * width, model_value(model, layer, t, h), (size_t)width * sizeof(double));
      }
  call->reference = (struct reference){.batch = s->stepping,
                                       .query_heads = heads,
                                       .heads = sizes->heads,
                                       .queries = queries,
                                       .keys = keys,
                                       .depth = sizes->depth,
                                       .width = width,
                                       .q = call->q,
                                       .k = call->k,
                                       .v = call->v,
                                       .query_lengths = call->query_lengths,
                                       .key_lengths = call->key_lengths,
                                       .offsets = call->offsets,
                                       .scale = 1 / sqrt((double)sizes->depth),
                                       .causal = 1,
                                       .left = call->left,
                                       .right = -1,
                                       .keeping_first = s->keeping_first};
}

static void compare(const struct script *s, const struct call *call, const attention_tensor *output,
                    const attention_tensor *sums) {
  static const attention_type types[] = {ATTENTION_FLOAT32, ATTENTION_BFLOAT16, ATTENTION_FLOAT16,
                                         ATTENTION_INT8, ATTENTION_INT8};
  const struct reference *r = &call->reference;
  struct expected e = expected_of_numbers(r, s->query_type, types[s->sizes.keys], types[s->sizes.values], 1);
  int64_t row = 0, start = 0;
  for (int64_t b = 0; b < r->batch; start += call->query_lengths[b++])
    for (int64_t h = 0; h < r->query_heads; h++)
      for (int64_t i = 0; i < r->queries; i++, row++) {
        if (i >= call->query_lengths[b])
          continue;
        for (int64_t d = 0; d < r->width; d++)
          expect_near(get(output, (int64_t[4]){start + i, h, d}), e.output[row * r->width + d],
                      e.output_bound, "output", row * r->width + d);
        expect_near(get(sums, (int64_t[4]){h, start + i}), e.log_sum_exp[row], e.log_sum_exp_bound,
                    "log_sum_exp", row);
      }
  free_expected(&e);
}

// Attention of `lengths` queries a sequence, packed, over a source of the script's members.
static void attend(struct script *s, const attention_key_values *source, const int64_t *lengths) {
  const int64_t heads = s->sizes.heads * s->groups, depth = s->sizes.depth;
  struct call call = {0};
  int64_t total = 0, longest = 0;
  for (int b = 0; b < s->stepping; b++) {
    call.query_lengths[b] = lengths[b];
    total += lengths[b];
    longest = lengths[b] > longest ? lengths[b] : longest;
  }
  struct room queries = make_input(s->query_type, 3, (int64_t[]){total, heads, depth},
                                   (enum layout)random_below(&s->random, 4));
  call.q = doubles(s->stepping * heads * longest * depth);
  for (int64_t b = 0, start = 0; b < s->stepping; start += lengths[b++])
    for (int64_t i = 0; i < lengths[b]; i++)
      for (int64_t h = 0; h < heads; h++)
        for (int64_t d = 0; d < depth; d++) {
          const int64_t index[4] = {start + i, h, d};
          put(&queries.tensor, index, random_unit(&s->random));
          call.q[((b * heads + h) * longest + i) * depth + d] = get(&queries.tensor, index);
        }
  // Sequences as they are have the rows that the next token sees: a query on the last one sees one less.
  call.left = s->window - (source->source == ATTENTION_SEQUENCES);
  gather(s, source->layer, longest, &call);
  struct room output = make_result(s->query_type, 3, (int64_t[]){total, heads, call.reference.width}, dense);
  struct room sums = make_result(s->query_type == ATTENTION_FLOAT64 ? ATTENTION_FLOAT64 : ATTENTION_FLOAT32,
                                 2, (int64_t[]){heads, total}, dense);
  const attention_queries described = {
      .tensor = queries.tensor, .lengths = lengths, .length_count = s->stepping};
  const attention_options options = {.causal = 1,
                                     .window_left = s->window >= 0 ? &call.left : NULL,
                                     .keeping_first = s->window >= 0 ? s->keeping_first : 0,
                                     .threads = s->threads};
  if (expect_ok(CALL(attention_run)(&described, source, &options, &output.tensor, &sums.tensor))) {
    s->digest = hash_elements(hash_elements(s->digest, &output.tensor), &sums.tensor);
    if (s->compares)
      compare(s, &call, &output.tensor, &sums.tensor);
  }
  free_room(&queries);
  free_room(&output);
  free_room(&sums);
  free(call.q);
  free(call.k);
  free(call.v);
}

// One layer's rows, as the caller has them and as the cache must hold them.
static void write_layer(struct script *s, attention_step *step, int64_t layer, int64_t total) {
  static const attention_type types[] = {ATTENTION_FLOAT32, ATTENTION_FLOAT32, ATTENTION_BFLOAT16,
                                         ATTENTION_FLOAT16, ATTENTION_FLOAT64};
  const int64_t heads = s->sizes.heads, depth = s->sizes.depth, width = s->models[s->members[0]].width;
  struct room keys = make_input(types[random_below(&s->random, 5)], 3, (int64_t[]){total, heads, depth},
                                (enum layout)random_below(&s->random, layouts_of_results));
  struct room values = make_input(types[random_below(&s->random, 5)], 3, (int64_t[]){total, heads, width},
                                  (enum layout)random_below(&s->random, layouts_of_results));
  int64_t row = 0;
  for (int b = 0; b < s->stepping; b++)
    for (int64_t i = 0; i < s->counts[b]; i++, row++)
      for (int64_t h = 0; h < heads; h++) {
        struct model *model = &s->models[s->members[b]];
        const int64_t token = model->count + i;
        double *key = model_key(model, layer, token, h), *value = model_value(model, layer, token, h);
        for (int64_t d = 0; d < depth; d++) {
          const int64_t index[4] = {row, h, d};
          put(&keys.tensor, index, random_unit(&s->random));
          key[d] = rounded_to(ATTENTION_FLOAT32, get(&keys.tensor, index));
        }
        if (s->rotary)
          turn_row(&s->turning, ATTENTION_FLOAT32, key, token);
        store_row(s->sizes.keys, key, depth);
        for (int64_t d = 0; d < width; d++) {
          const int64_t index[4] = {row, h, d};
          put(&values.tensor, index, random_unit(&s->random));
          value[d] = rounded_to(ATTENTION_FLOAT32, get(&values.tensor, index));
        }
        store_row(s->sizes.values, value, width);
      }
  expect_ok(CALL(attention_step_write)(step, layer, &keys.tensor, &values.tensor, s->rotary, s->threads));
  free_room(&keys);
  free_room(&values);
}

// Which sequences a step has, each once; returns how many tokens in all.
static int64_t draw_members(struct script *s, int64_t *tokens) {
  int64_t total = 0;
  s->stepping = 0;
  for (int which = 0; which < s->live; which++) {
    if (one_in(&s->random, 4))
      continue;
    const int64_t left = most_tokens - s->models[which].count;
    const int64_t most = s->longest_append < left ? s->longest_append : left;
    const int64_t count = one_in(&s->random, 2) && most > 0 ? 1 : random_from(&s->random, 0, most);
    for (int64_t i = 0; i < count; i++)
      // No two alike: a prefix of known tokens is of one descent.
      tokens[total++] = s->models[which].tokens[s->models[which].count + i] =
          (int64_t)(random_bits(&s->random) >> 1);
    s->members[s->stepping] = which;
    s->counts[s->stepping++] = count;
  }
  return total;
}

static void expect_positions(struct script *s, attention_step *step, int64_t total) {
  int64_t positions[most_live * 32], next = 0;
  if (!expect_ok(CALL(attention_step_positions)(step, positions, total)))
    return;
  for (int b = 0; b < s->stepping; b++)
    for (int64_t i = 0; i < s->counts[b]; i++, next++)
      expect(positions[next] == s->models[s->members[b]].count + i, "position %lld of token %lld",
             (long long)positions[next], (long long)next);
}

void run_step(struct script *s) {
  int64_t tokens[most_live * 32];
  const int64_t total = draw_members(s, tokens);
  if (s->stepping == 0)
    return;
  attention_sequence *members[most_live];
  for (int b = 0; b < s->stepping; b++)
    members[b] = s->sequences[s->members[b]];
  const int knows = !one_in(&s->random, 4);
  attention_step *step;
  if (!expect_ok(CALL(attention_step_create)(members, s->stepping, s->counts, knows ? tokens : NULL, &step)))
    return;
  expect_positions(s, step, total);
  // From the last layer to the first, sometimes.
  const int is_backwards = (int)random_below(&s->random, 2);
  for (int64_t i = 0; i < s->sizes.layers; i++) {
    const int64_t layer = is_backwards ? s->sizes.layers - 1 - i : i;
    write_layer(s, step, layer, total);
    attend(s, &(attention_key_values){.source = ATTENTION_STEP, .step = step, .layer = layer}, s->counts);
  }
  const int commits = !one_in(&s->random, 4);
  if (commits && expect_ok(CALL(attention_step_commit)(step)))
    for (int b = 0; b < s->stepping; b++) {
      struct model *model = &s->models[s->members[b]];
      model->count += s->counts[b];
      if (knows && model->known == model->count - s->counts[b])
        model->known = model->count;
    }
  CALL(attention_step_destroy)(step);
  for (int b = 0; b < s->stepping; b++) {
    const long long count = CALL(attention_sequence_count)(members[b]);
    expect(count == s->models[s->members[b]].count, "%lld tokens after a step, expected %lld", count,
           (long long)s->models[s->members[b]].count);
  }
}

void attend_over_sequences(struct script *s) {
  const attention_sequence *members[most_live];
  const int64_t ones[most_live] = {1, 1, 1, 1};
  s->stepping = 0;
  for (int which = 0; which < s->live; which++)
    if (s->models[which].count > 0) {
      members[s->stepping] = s->sequences[which];
      s->counts[s->stepping] = 0;
      s->members[s->stepping++] = which;
    }
  if (s->stepping > 0 && s->window != 0)
    attend(s,
           &(attention_key_values){.source = ATTENTION_SEQUENCES,
                                   .sequences = members,
                                   .sequence_count = s->stepping,
                                   .layer = random_below(&s->random, s->sizes.layers)},
           ones);
}
