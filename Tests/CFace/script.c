// See script.h. Steps are in script_steps.c.

#include "script.h"

#include "check.h"

#include <stdio.h>

static void draw_sizes(struct script *s) {
  static const int64_t widths[] = {2, 4, 8, 16, 32, 34, 64, 96};
  struct random *random = &s->random;
  s->sizes = (attention_cache_sizes){.layers = random_from(random, 1, most_layers),
                                     .heads = random_from(random, 1, 2),
                                     .depth = widths[random_below(random, 8)],
                                     .width = one_in(random, 2) ? 0 : widths[random_below(random, 8)] - 1,
                                     .keys = (attention_cache_type)random_below(random, 4),
                                     .values = (attention_cache_type)random_below(random, 5),
                                     .page_size = INT64_C(1) << random_below(random, 6)};
  s->groups = random_from(random, 1, 4);
  static const attention_type types[] = {ATTENTION_FLOAT32, ATTENTION_FLOAT32, ATTENTION_BFLOAT16,
                                         ATTENTION_FLOAT16, ATTENTION_FLOAT64};
  s->query_type = types[random_below(random, 5)];
  s->window = -1;
  s->longest_append = 20;
  if (one_in(random, 3)) {
    s->window = random_from(random, 0, 24);
    s->keeping_first = one_in(random, 2) ? 0 : random_from(random, 1, 5);
    s->longest_append = random_from(random, 1, 10);
  }
  // Each sequence at its longest, and the pages of the tokens that a turn of a ring may keep.
  s->sizes.pages = (most_live + 1) * (2 * most_tokens / s->sizes.page_size + 3);
  snprintf(s->text, sizeof s->text,
           "layers %lld, heads %lld, depth %lld, width %lld, keys %d, values %d, page %lld, window %lld + "
           "%lld, %s queries",
           (long long)s->sizes.layers, (long long)s->sizes.heads, (long long)s->sizes.depth,
           (long long)s->sizes.width, s->sizes.keys, s->sizes.values, (long long)s->sizes.page_size,
           (long long)s->window, (long long)s->keeping_first, name_of_type(s->query_type));
}

static void draw_rotary(struct script *s) {
  struct random *random = &s->random;
  if (one_in(random, 2))
    return;
  const int64_t pairs = random_from(random, 1, s->sizes.depth / 2);
  s->turning = (struct turning){.depth = s->sizes.depth,
                                .rotated = one_in(random, 2) || s->sizes.depth % 2 ? 2 * pairs : 0,
                                .base = 10000,
                                .interleaved = (int)random_below(random, 2)};
  expect_ok(CALL(attention_rotary_create)(s->turning.depth, s->turning.rotated, most_tokens, s->turning.base,
                                          s->turning.interleaved, &s->rotary));
}

static void make_sequence(struct script *s) {
  if (s->live == most_live)
    return;
  attention_sequence **place = &s->sequences[s->live];
  s->models[s->live] = make_model(&s->sizes);
  if (!expect_ok(s->window < 0 ? CALL(attention_sequence_create)(s->cache, place)
                               : CALL(attention_sequence_create_ring)(s->cache, s->window, s->keeping_first,
                                                                      s->longest_append, place))) {
    free_model(&s->models[s->live]);
    return;
  }
  expect(CALL(attention_sequence_count)(*place) == 0, "a new sequence has tokens");
  s->live++;
}

// A sequence that is a copy of `count` tokens of another.
static void keep_copy(struct script *s, int from, int64_t count) {
  s->models[s->live] = make_model(&s->sizes);
  copy_model(&s->models[s->live], &s->models[from], count);
  const long long got = CALL(attention_sequence_count)(s->sequences[s->live]);
  expect(got == count, "%lld tokens in a copy, expected %lld", got, (long long)count);
  s->live++;
}

static void fork_sequence(struct script *s) {
  if (s->live == most_live || s->live == 0)
    return;
  const int from = (int)random_below(&s->random, s->live);
  if (expect_ok(CALL(attention_sequence_fork)(s->sequences[from], &s->sequences[s->live])))
    keep_copy(s, from, s->models[from].count);
}

static void truncate_sequence(struct script *s) {
  if (s->live == 0)
    return;
  const int which = (int)random_below(&s->random, s->live);
  struct model *model = &s->models[which];
  const int64_t count = one_in(&s->random, 5) ? 0 : random_from(&s->random, model->count / 2, model->count);
  const attention_status status = CALL(attention_sequence_truncate)(s->sequences[which], count);
  if (status == ATTENTION_OK)
    model->count = count, model->known = count < model->known ? count : model->known;
  else if (s->window >= 0 && count > 0 && count < model->count)
    // A ring may have overwritten what the window before `count` needs.
    expect_refused(status, ATTENTION_INVALID_ARGUMENT, "count");
  else
    expect_ok(status);
}

// Whole pages of the first tokens of another sequence.
static void reuse_tokens(struct script *s) {
  if (s->live == most_live || s->live == 0)
    return;
  const int from = (int)random_below(&s->random, s->live);
  const struct model *model = &s->models[from];
  if (!expect_ok(CALL(attention_sequence_create_reusing)(s->cache, model->tokens, model->count,
                                                         &s->sequences[s->live])))
    return;
  const int64_t count = CALL(attention_sequence_count)(s->sequences[s->live]);
  // A live sequence keeps its pages: all whole ones of known tokens are there.
  const int64_t known = s->window < 0 ? model->known : 0;
  expect(count == known - known % s->sizes.page_size, "reuses %lld of %lld known tokens", (long long)count,
         (long long)known);
  if (s->window < 0) {
    keep_copy(s, from, count);
    return;
  }
  CALL(attention_sequence_destroy)(s->sequences[s->live]);
}

static void save_and_load(struct script *s) {
  if (s->live == most_live || s->live == 0 || !s->path)
    return;
  const int from = (int)random_below(&s->random, s->live);
  if (expect_ok(CALL(attention_sequence_save)(s->sequences[from], s->path)) &&
      expect_ok(CALL(attention_sequence_load)(s->cache, s->path, &s->sequences[s->live])))
    keep_copy(s, from, s->models[from].count);
  remove(s->path);
}

static void drop_sequence(struct script *s) {
  if (s->live == 0)
    return;
  const int which = (int)random_below(&s->random, s->live--);
  CALL(attention_sequence_destroy)(s->sequences[which]);
  free_model(&s->models[which]);
  s->sequences[which] = s->sequences[s->live];
  s->models[which] = s->models[s->live];
}

static void end_script(struct script *s) {
  // The cache first, sometimes: its sequences keep what they need.
  const int is_early = one_in(&s->random, 3);
  if (is_early)
    CALL(attention_cache_destroy)(s->cache);
  while (s->live > 0) {
    if (is_early && one_in(&s->random, 2))
      attend_over_sequences(s);
    drop_sequence(s);
  }
  if (!is_early) {
    const long long pages = CALL(attention_cache_free_pages)(s->cache);
    expect(pages == s->sizes.pages, "%lld pages are free at the end, expected %lld", pages,
           (long long)s->sizes.pages);
    CALL(attention_cache_destroy)(s->cache);
  }
  CALL(attention_rotary_destroy)(s->rotary);
}

uint64_t run_script(uint64_t seed, attention_threads *threads, int compares, const char *path) {
  struct script script = {.random = {seed}, .threads = threads, .compares = compares, .path = path};
  struct script *s = &script;
  s->digest = HASH_START;
  draw_sizes(s);
  if (compares)
    begin_case("seed %llu, %s", (unsigned long long)seed, s->text);
  if (!expect_ok(CALL(attention_cache_create)(&s->sizes, &s->cache)))
    return 0;
  draw_rotary(s);
  static void (*const actions[])(struct script *) = {make_sequence,
                                                     make_sequence,
                                                     run_step,
                                                     run_step,
                                                     run_step,
                                                     run_step,
                                                     fork_sequence,
                                                     truncate_sequence,
                                                     reuse_tokens,
                                                     save_and_load,
                                                     attend_over_sequences,
                                                     drop_sequence};
  make_sequence(s);
  run_step(s);
  for (int action = 0; action < 24; action++)
    actions[random_below(&s->random, 12)](s);
  end_script(s);
  return s->digest;
}
