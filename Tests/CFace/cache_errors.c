// What is wrong with the arguments of attention_cache.h: sizes, handles, counts, files.

#include "attempts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const attention_cache_sizes small = {
    .layers = 2, .heads = 2, .depth = 8, .width = 6, .page_size = 4, .pages = 8};

static attention_cache *make_cache(attention_cache_sizes sizes) {
  attention_cache *cache = NULL;
  expect_ok(CALL(attention_cache_create)(&sizes, &cache));
  return cache;
}

static void check_sizes(void) {
  begin_subject("refusals of attention_cache_create");
  static const int64_t odd[] = {0, -1, INT64_MIN, INT64_MAX};
  static const struct {
    size_t member;
    const char *name;
  } members[] = {{offsetof(attention_cache_sizes, layers), "layers"},
                 {offsetof(attention_cache_sizes, heads), "heads"},
                 {offsetof(attention_cache_sizes, depth), "depth"},
                 {offsetof(attention_cache_sizes, width), "width"},
                 {offsetof(attention_cache_sizes, page_size), "page_size"},
                 {offsetof(attention_cache_sizes, pages), "pages"}};
  attention_cache *cache = NULL;
  for (int member = 0; member < 6; member++)
    for (int i = 0; i < 4; i++) {
      if (odd[i] == 0 && strcmp(members[member].name, "width") == 0)
        continue;
      attention_cache_sizes sizes = small;
      memcpy((char *)&sizes + members[member].member, &odd[i], sizeof odd[i]);
      begin_case("%s of %lld", members[member].name, (long long)odd[i]);
      expect_refused(CALL(attention_cache_create)(&sizes, &cache), ATTENTION_INVALID_ARGUMENT,
                     members[member].name);
    }
  static const attention_cache_type types[] = {-1, 5, INT32_MAX, INT32_MIN};
  for (int i = 0; i < 4; i++) {
    attention_cache_sizes sizes = small;
    begin_case("a type of %d", types[i]);
    sizes.keys = types[i];
    expect_refused(CALL(attention_cache_create)(&sizes, &cache), ATTENTION_INVALID_ARGUMENT, "keys");
    sizes = small;
    sizes.values = types[i];
    expect_refused(CALL(attention_cache_create)(&sizes, &cache), ATTENTION_INVALID_ARGUMENT, "values");
  }
  begin_case("INT4 keys, and NULL");
  attention_cache_sizes sizes = small;
  sizes.keys = ATTENTION_CACHE_INT4;
  expect_refused(CALL(attention_cache_create)(&sizes, &cache), ATTENTION_INVALID_ARGUMENT, "keys");
  expect_refused(CALL(attention_cache_create)(NULL, &cache), ATTENTION_INVALID_ARGUMENT, "sizes");
  expect_refused(CALL(attention_cache_create)(&small, NULL), ATTENTION_INVALID_ARGUMENT, "cache");
  expect(!cache, "a handle was made");
  expect(CALL(attention_cache_free_pages)(NULL) == -1, "pages of no cache");
  CALL(attention_cache_destroy)(NULL);
}

static void check_sequences(void) {
  begin_subject("refusals of attention_sequence_*");
  attention_cache *cache = make_cache(small);
  attention_sequence *sequence = NULL, *none = NULL;
  const int64_t tokens[2] = {1, 2};
  begin_case("NULL for an argument");
  expect_refused(CALL(attention_sequence_create)(NULL, &none), ATTENTION_INVALID_ARGUMENT, "cache");
  expect_refused(CALL(attention_sequence_create)(cache, NULL), ATTENTION_INVALID_ARGUMENT, "sequence");
  expect_refused(CALL(attention_sequence_create_ring)(NULL, 4, 0, 1, &none), ATTENTION_INVALID_ARGUMENT,
                 "cache");
  expect_refused(CALL(attention_sequence_create_ring)(cache, 4, 0, 1, NULL), ATTENTION_INVALID_ARGUMENT,
                 "sequence");
  expect_refused(CALL(attention_sequence_create_reusing)(NULL, tokens, 2, &none), ATTENTION_INVALID_ARGUMENT,
                 "cache");
  expect_refused(CALL(attention_sequence_create_reusing)(cache, NULL, 2, &none), ATTENTION_INVALID_ARGUMENT,
                 "tokens");
  expect_refused(CALL(attention_sequence_create_reusing)(cache, tokens, 2, NULL), ATTENTION_INVALID_ARGUMENT,
                 "sequence");
  expect_refused(CALL(attention_sequence_fork)(NULL, &none), ATTENTION_INVALID_ARGUMENT, "sequence");
  expect_refused(CALL(attention_sequence_truncate)(NULL, 0), ATTENTION_INVALID_ARGUMENT, "sequence");
  expect(CALL(attention_sequence_count)(NULL) == -1, "tokens of no sequence");
  expect_refused(CALL(attention_sequence_save)(NULL, "/tmp/x"), ATTENTION_INVALID_ARGUMENT, "sequence");
  expect_refused(CALL(attention_sequence_load)(NULL, "/tmp/x", &none), ATTENTION_INVALID_ARGUMENT, "cache");
  CALL(attention_sequence_destroy)(NULL);
  static const int64_t odd[] = {-1, INT64_MIN, INT64_MAX};
  for (int i = 0; i < 3; i++) {
    begin_case("a number of %lld", (long long)odd[i]);
    expect_refused(CALL(attention_sequence_create_ring)(cache, odd[i], 0, 1, &none),
                   ATTENTION_INVALID_ARGUMENT, "window");
    expect_refused(CALL(attention_sequence_create_ring)(cache, 4, odd[i], 1, &none),
                   ATTENTION_INVALID_ARGUMENT, "keeping_first");
    expect_refused(CALL(attention_sequence_create_ring)(cache, 4, 0, odd[i], &none),
                   ATTENTION_INVALID_ARGUMENT, "longest_append");
    expect_refused(CALL(attention_sequence_create_reusing)(cache, tokens, odd[i], &none),
                   ATTENTION_INVALID_ARGUMENT, "tokens");
  }
  begin_case("an append of 0, and counts");
  expect_refused(CALL(attention_sequence_create_ring)(cache, 4, 0, 0, &none), ATTENTION_INVALID_ARGUMENT,
                 "longest_append");
  expect(!none, "a handle was made");
  expect_ok(CALL(attention_sequence_create)(cache, &sequence));
  for (int i = 0; i < 3; i++)
    expect_refused(CALL(attention_sequence_truncate)(sequence, odd[i]), ATTENTION_INVALID_ARGUMENT, "count");
  expect_refused(CALL(attention_sequence_truncate)(sequence, 1), ATTENTION_INVALID_ARGUMENT, "count");
  expect_refused(CALL(attention_sequence_fork)(sequence, NULL), ATTENTION_INVALID_ARGUMENT, "fork");
  expect_refused(CALL(attention_sequence_save)(sequence, NULL), ATTENTION_INVALID_ARGUMENT, "path");
  expect_refused(CALL(attention_sequence_load)(cache, NULL, &none), ATTENTION_INVALID_ARGUMENT, "path");
  expect_refused(CALL(attention_sequence_load)(cache, "/tmp/x", NULL), ATTENTION_INVALID_ARGUMENT,
                 "sequence");
  expect_refused(CALL(attention_sequence_save)(sequence, "/no/such/folder/x"), ATTENTION_INVALID_ARGUMENT,
                 "path");
  expect_refused(CALL(attention_sequence_save)(sequence, "/tmp"), ATTENTION_INVALID_ARGUMENT, "path");
  expect_refused(CALL(attention_sequence_save)(sequence, ""), ATTENTION_INVALID_ARGUMENT, "path");
  expect_refused(CALL(attention_sequence_load)(cache, "/no/such/folder/x", &none), ATTENTION_INVALID_ARGUMENT,
                 "path");
  expect_refused(CALL(attention_sequence_load)(cache, "/tmp", &none), ATTENTION_INVALID_ARGUMENT, "path");
  CALL(attention_sequence_destroy)(sequence);
  CALL(attention_cache_destroy)(cache);
}

// A saved sequence of 3 tokens; the file's bytes, and how many.
static unsigned char *save_small(attention_cache *cache, const char *path, size_t *count) {
  static float keys[3][2][8], values[3][2][6];
  const attention_tensor k = attention_dense(keys, ATTENTION_FLOAT32, 3, (int64_t[]){3, 2, 8}),
                         v = attention_dense(values, ATTENTION_FLOAT32, 3, (int64_t[]){3, 2, 6});
  attention_sequence *sequence;
  attention_step *step;
  expect_ok(CALL(attention_sequence_create)(cache, &sequence));
  expect_ok(CALL(attention_step_create)(&sequence, 1, (int64_t[]){3}, (int64_t[]){7, 8, 9}, &step));
  for (int64_t layer = 0; layer < 2; layer++)
    expect_ok(CALL(attention_step_write)(step, layer, &k, &v, NULL, NULL));
  expect_ok(CALL(attention_step_commit)(step));
  CALL(attention_step_destroy)(step);
  expect_ok(CALL(attention_sequence_save)(sequence, path));
  CALL(attention_sequence_destroy)(sequence);
  FILE *file = fopen(path, "rb");
  unsigned char *bytes = malloc(1 << 16);
  if (!file || !bytes)
    exit(2);
  *count = fread(bytes, 1, 1 << 16, file);
  fclose(file);
  return bytes;
}

static void refuse_file(attention_cache *cache, const char *path, const unsigned char *bytes, size_t count) {
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, count, file) != count)
    exit(2);
  fclose(file);
  attention_sequence *none = NULL;
  expect_refused(CALL(attention_sequence_load)(cache, path, &none), ATTENTION_INVALID_ARGUMENT, "path");
  expect(!none, "a handle was made");
  expect(CALL(attention_cache_free_pages)(cache) == small.pages, "pages were taken");
}

// Cut at every byte, altered in every byte.
static void check_files(void) {
  begin_subject("refusals of attention_sequence_load");
  attention_cache *cache = make_cache(small);
  char path[64];
  snprintf(path, sizeof path, "/tmp/attention-saved-%d", (int)getpid());
  size_t count;
  unsigned char *bytes = save_small(cache, path, &count);
  attention_sequence *sequence = NULL;
  begin_case("as it was saved");
  expect_ok(CALL(attention_sequence_load)(cache, path, &sequence));
  expect(CALL(attention_sequence_count)(sequence) == 3, "other tokens");
  CALL(attention_sequence_destroy)(sequence);
  begin_case("another cache");
  attention_cache_sizes other = small;
  other.heads = 1;
  attention_cache *stranger = make_cache(other);
  sequence = NULL;
  expect_refused(CALL(attention_sequence_load)(stranger, path, &sequence), ATTENTION_INVALID_ARGUMENT,
                 "path");
  CALL(attention_cache_destroy)(stranger);
  for (size_t cut = 0; cut < count; cut += 13) {
    begin_case("cut to %zu bytes of %zu", cut, count);
    refuse_file(cache, path, bytes, cut);
  }
  struct random random = {13};
  for (size_t i = 0; i < count; i += 3) {
    begin_case("another byte %zu of %zu", i, count);
    const unsigned char before = bytes[i];
    bytes[i] ^= (unsigned char)random_from(&random, 1, 255);
    refuse_file(cache, path, bytes, count);
    bytes[i] = before;
  }
  remove(path);
  free(bytes);
  CALL(attention_cache_destroy)(cache);
}

void check_cache_errors(void) {
  check_sizes();
  check_sequences();
  check_files();
}
