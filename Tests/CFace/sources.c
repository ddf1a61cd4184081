// See sources.h.

#include "sources.h"

#include <stdlib.h>

static void *zeroed(size_t count, size_t size) {
  void *memory = calloc(count + 1, size);
  if (!memory)
    exit(2);
  return memory;
}

const char *name_of_source(attention_source source) {
  static const char *const names[] = {"padded", "packed", "paged", "joined", "step", "sequences"};
  return names[source];
}

// The first three indices of a key's row in the tensors of a source that has such.
static const struct source *find(const struct source *source, int64_t sequence, int64_t head, int64_t key,
                                 int64_t *index) {
  while (source->described.source == ATTENTION_JOINED) {
    const struct source *part = source->parts;
    while (key >= part->lengths[sequence])
      key -= part++->lengths[sequence];
    source = part;
  }
  switch (source->described.source) {
  case ATTENTION_PACKED:
    for (int64_t b = 0; b < sequence; b++)
      key += source->lengths[b];
    index[0] = key;
    index[1] = head;
    index[2] = 0;
    break;
  case ATTENTION_PAGED:
    index[0] = (int64_t)get(&source->page_table.tensor, (int64_t[4]){sequence, key / source->page_size});
    index[1] = key % source->page_size;
    index[2] = head;
    break;
  default:
    index[0] = sequence;
    index[1] = head;
    index[2] = key;
  }
  return source;
}

static double number(const struct room *rows, const struct room *scales, int64_t *index, int64_t column) {
  index[rows->tensor.rank - 1] = column;
  const double stored = get(&rows->tensor, index);
  return rows->tensor.type == ATTENTION_INT8 ? stored * get(&scales->tensor, index) : stored;
}

double key_number(const struct source *source, int64_t sequence, int64_t head, int64_t key, int64_t column) {
  int64_t index[4];
  const struct source *at = find(source, sequence, head, key, index);
  return number(&at->keys, &at->key_scales, index, column);
}

double value_number(const struct source *source, int64_t sequence, int64_t head, int64_t key,
                    int64_t column) {
  int64_t index[4];
  const struct source *at = find(source, sequence, head, key, index);
  return number(&at->values, &at->value_scales, index, column);
}

// One row: unit variance, integers times scales included.
static void fill_row(struct random *random, struct room *rows, struct room *scales, int64_t *index,
                     int64_t columns) {
  const attention_type type = rows->tensor.type;
  for (int64_t column = 0; column < columns; column++) {
    index[rows->tensor.rank - 1] = column;
    put(&rows->tensor, index,
        type == ATTENTION_INT8 ? (double)random_from(random, -127, 127) : random_unit(random));
  }
  if (type == ATTENTION_INT8)
    put(&scales->tensor, index, (0.5 + (double)random_below(random, 1000) * 1e-3) / 73);
}

static void make_tensors(struct random *random, struct source *source, int rank, int64_t a, int64_t b,
                         int64_t c) {
  const struct source_sizes *sizes = &source->sizes;
  // A repeated first axis is that of sequences, or of pages; a packed one would make all keys one.
  const int kinds = rank == 4 ? layout_count : layouts_of_results;
  int64_t shape[4] = {a, b, c, 0};
  shape[rank - 1] = sizes->depth;
  source->keys = make_input(sizes->keys, rank, shape, (enum layout)random_below(random, kinds));
  shape[rank - 1] = sizes->width;
  source->values = make_input(sizes->values, rank, shape, (enum layout)random_below(random, kinds));
  source->described.keys = source->keys.tensor;
  source->described.values = source->values.tensor;
  if (sizes->keys == ATTENTION_INT8) {
    source->key_scales =
        make_input(ATTENTION_FLOAT32, rank - 1, shape, (enum layout)random_below(random, kinds));
    source->described.key_scales = source->key_scales.tensor;
  }
  if (sizes->values == ATTENTION_INT8) {
    source->value_scales =
        make_input(ATTENTION_FLOAT32, rank - 1, shape, (enum layout)random_below(random, kinds));
    source->described.value_scales = source->value_scales.tensor;
  }
}

static void fill(struct random *random, struct source *source) {
  for (int64_t b = 0; b < source->sizes.batch; b++)
    for (int64_t h = 0; h < source->sizes.heads; h++)
      for (int64_t t = 0; t < source->lengths[b]; t++) {
        int64_t index[4];
        find(source, b, h, t, index);
        fill_row(random, &source->keys, &source->key_scales, index, source->sizes.depth);
        fill_row(random, &source->values, &source->value_scales, index, source->sizes.width);
      }
}

static void draw_lengths(struct random *random, struct source *source, int64_t most) {
  for (int64_t b = 0; b < source->sizes.batch; b++)
    source->lengths[b] = one_in(random, 4) ? most : random_from(random, 0, most);
  source->described.lengths = source->lengths;
  source->described.length_count = source->sizes.batch;
}

static int64_t longest(const struct source *source, int64_t *total) {
  int64_t most = 0;
  *total = 0;
  for (int64_t b = 0; b < source->sizes.batch; b++) {
    *total += source->lengths[b];
    if (source->lengths[b] > most)
      most = source->lengths[b];
  }
  return most;
}

static void draw_pages(struct random *random, struct source *source) {
  source->page_size = INT64_C(1) << random_below(random, 6);
  draw_lengths(random, source, source->sizes.longest);
  int64_t total;
  source->count = longest(source, &total);
  const int64_t pages = total / source->page_size + source->sizes.batch + 1;
  const int64_t columns =
      (source->count + source->page_size - 1) / source->page_size + random_below(random, 2);
  make_tensors(random, source, 4, pages, source->page_size, source->sizes.heads);
  source->page_table = make_input(ATTENTION_INT32, 2, (int64_t[]){source->sizes.batch, columns},
                                  (enum layout)random_below(random, layouts_of_results));
  source->described.page_table = source->page_table.tensor;
  for (int64_t b = 0; b < source->sizes.batch; b++)
    for (int64_t page = 0; page * source->page_size < source->lengths[b]; page++)
      // Sequences may share pages.
      put(&source->page_table.tensor, (int64_t[4]){b, page}, (double)random_below(random, pages));
}

static void draw_parts(struct random *random, struct source *source) {
  const int64_t count = random_from(random, 1, 3);
  source->parts = zeroed((size_t)count, sizeof *source->parts);
  source->described_parts = zeroed((size_t)count, sizeof *source->described_parts);
  struct source_sizes sizes = source->sizes;
  sizes.longest = sizes.longest / count + 1;
  for (int64_t part = 0; part < count; part++) {
    const attention_source kind = (attention_source)random_below(random, one_in(random, 4) ? 4 : 3);
    draw_source(random, kind, sizes, &source->parts[part]);
    source->described_parts[part] = source->parts[part].described;
    source->count += source->parts[part].count;
    for (int64_t b = 0; b < sizes.batch; b++)
      source->lengths[b] += source->parts[part].lengths[b];
  }
  source->described.parts = source->described_parts;
  source->described.part_count = count;
}

void draw_source(struct random *random, attention_source kind, struct source_sizes sizes,
                 struct source *source) {
  *source = (struct source){.described = {.source = kind}, .sizes = sizes};
  int64_t total;
  switch (kind) {
  case ATTENTION_JOINED:
    draw_parts(random, source);
    return;
  case ATTENTION_PACKED:
    draw_lengths(random, source, sizes.longest);
    source->count = longest(source, &total);
    make_tensors(random, source, 3, total + random_below(random, 3), sizes.heads, 0);
    break;
  case ATTENTION_PAGED:
    draw_pages(random, source);
    break;
  default:
    source->count = one_in(random, 3) ? sizes.longest : random_from(random, 0, sizes.longest);
    draw_lengths(random, source, source->count);
    if (one_in(random, 2)) {
      for (int64_t b = 0; b < sizes.batch; b++)
        source->lengths[b] = source->count;
      source->described.lengths = NULL;
      source->described.length_count = 0;
    }
    make_tensors(random, source, 4, sizes.batch, sizes.heads, source->count);
  }
  fill(random, source);
}

void free_source(struct source *source) {
  for (int64_t part = 0; part < source->described.part_count; part++)
    free_source(&source->parts[part]);
  free(source->parts);
  free(source->described_parts);
  free_room(&source->keys);
  free_room(&source->values);
  free_room(&source->key_scales);
  free_room(&source->value_scales);
  free_room(&source->page_table);
}
