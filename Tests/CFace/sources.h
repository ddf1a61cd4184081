// Random keys and values in every kind of source, and where each row of them lies.

#ifndef CFACE_SOURCES_H
#define CFACE_SOURCES_H

#include "rooms.h"

enum { most_sequences = 4 };

struct source_sizes {
  int64_t batch, heads, depth, width, longest;
  attention_type keys, values;
};

struct source {
  attention_key_values described;
  struct source_sizes sizes;
  // Tk: the rows of padded tensors, the longest sequence of others, the sum over parts.
  int64_t count;
  // How many keys each sequence has.
  int64_t lengths[most_sequences];
  int64_t page_size;
  struct room keys, values, key_scales, value_scales, page_table;
  struct source *parts;
  attention_key_values *described_parts;
};

// `kind` is one that needs no cache. Rows past lengths, and what lies between rows, are NaN; entries of page
// tables past lengths are −1.
void draw_source(struct random *random, attention_source kind, struct source_sizes sizes,
                 struct source *source);
void free_source(struct source *source);

// Key `key` of a sequence as a number: integers times their scales.
double key_number(const struct source *source, int64_t sequence, int64_t head, int64_t key, int64_t column);
double value_number(const struct source *source, int64_t sequence, int64_t head, int64_t key, int64_t column);

const char *name_of_source(attention_source source);

#endif
