// Tensors in memory of their own, in every kind of layout.

#ifndef CFACE_ROOMS_H
#define CFACE_ROOMS_H

#include "values.h"

enum layout {
  dense,
  // [B, H, T, D] in the memory order of [B, T, H, D], as a projection writes it.
  heads_inside,
  // An odd number of unused elements after each row and each head.
  gaps,
  // Every axis but the last runs backwards.
  backwards,
  // Two of three elements of a row are unused.
  columns,
  // The last axis runs backwards.
  mirrored,
  layouts_of_results,
  // One item of the first axis for all: inputs alone.
  repeated = layouts_of_results,
  layout_count
};

struct room {
  attention_tensor tensor;
  unsigned char *memory;
  size_t bytes;
};

// Inputs have not a byte more than their elements reach, and are NaN, or −1, in every byte.
struct room make_input(attention_type type, int rank, const int64_t *shape, enum layout layout);
// Results have a margin around them, and a pattern in every byte.
struct room make_result(attention_type type, int rank, const int64_t *shape, enum layout layout);
void free_room(struct room *room);
// The pattern again.
void clear_result(struct room *room);

void *element_of(const attention_tensor *tensor, const int64_t *index);
double get(const attention_tensor *tensor, const int64_t *index);
void put(const attention_tensor *tensor, const int64_t *index, double value);
// The index after this one in row-major order; 0 at the end. Start with all zeros where any_elements.
int any_elements(const attention_tensor *tensor);
int next_index(const attention_tensor *tensor, int64_t *index);
#define FOR_EACH_ELEMENT(tensor, index)                                                                      \
  for (int64_t index[4] = {0}, index##_more = any_elements(tensor); index##_more;                            \
       index##_more = next_index(tensor, index))

// Whether a byte that belongs to no element is other than the pattern; whether any byte is.
int wrote_beside(const struct room *room);
int wrote_anything(const struct room *room);
// Over the elements in row-major order.
uint64_t hash_elements(uint64_t hash, const attention_tensor *tensor);

#endif
