// See rooms.h.

#include "rooms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { margin = 128, pattern = 0xA5 };

// Strides of a layout; returns how many elements it reaches over, and where the first lies.
static int64_t lay_out(attention_tensor *tensor, enum layout layout, int64_t *first) {
  int order[4] = {0, 1, 2, 3};
  const int rank = tensor->rank;
  if (layout == heads_inside && rank >= 3) {
    order[rank - 3] = rank - 2;
    order[rank - 2] = rank - 3;
  }
  int64_t step = layout == columns ? 3 : 1, span = 1;
  *first = 0;
  for (int place = rank - 1; place >= 0; place--) {
    const int axis = order[place];
    const int64_t length = tensor->shape[axis] > 0 ? tensor->shape[axis] : 1;
    const int is_last = axis == rank - 1;
    int64_t stride = step;
    if (layout == repeated && axis == 0 && rank > 1)
      stride = 0;
    if (layout == (is_last ? mirrored : backwards))
      stride = -step;
    tensor->strides[axis] = stride;
    const int64_t reach = (stride < 0 ? -stride : stride) * (length - 1);
    span += reach;
    if (stride < 0)
      *first += reach;
    step = step * length + (layout == gaps ? 3 : 0);
  }
  return span;
}

static struct room make(attention_type type, int rank, const int64_t *shape, enum layout layout,
                        size_t around, int byte) {
  struct room room = {.tensor = {.type = type, .rank = rank}};
  for (int axis = 0; axis < rank; axis++)
    room.tensor.shape[axis] = shape[axis];
  int64_t first;
  // One element off the alignment of vectors where there are gaps.
  const int64_t skew = layout == gaps;
  const int64_t span = lay_out(&room.tensor, layout, &first) + skew;
  const size_t size = size_of_type(type);
  room.bytes = (size_t)span * size + 2 * around;
  room.memory = malloc(room.bytes);
  if (!room.memory) {
    perror("no memory for a tensor of the checks");
    exit(2);
  }
  memset(room.memory, byte, room.bytes);
  room.tensor.data = room.memory + around + (size_t)(first + skew) * size;
  return room;
}

struct room make_input(attention_type type, int rank, const int64_t *shape, enum layout layout) {
  return make(type, rank, shape, layout, 0, 0xFF);
}

struct room make_result(attention_type type, int rank, const int64_t *shape, enum layout layout) {
  return make(type, rank, shape, layout, margin, pattern);
}

void clear_result(struct room *room) { memset(room->memory, pattern, room->bytes); }

void free_room(struct room *room) {
  free(room->memory);
  room->memory = NULL;
}

void *element_of(const attention_tensor *tensor, const int64_t *index) {
  int64_t offset = 0;
  for (int axis = 0; axis < tensor->rank; axis++)
    offset += index[axis] * tensor->strides[axis];
  return (char *)tensor->data + offset * (int64_t)size_of_type(tensor->type);
}

double get(const attention_tensor *tensor, const int64_t *index) {
  return load_element(element_of(tensor, index), tensor->type);
}

void put(const attention_tensor *tensor, const int64_t *index, double value) {
  store_element(element_of(tensor, index), tensor->type, value);
}

int any_elements(const attention_tensor *tensor) {
  for (int axis = 0; axis < tensor->rank; axis++)
    if (tensor->shape[axis] == 0)
      return 0;
  return 1;
}

int next_index(const attention_tensor *tensor, int64_t *index) {
  for (int axis = tensor->rank - 1; axis >= 0; axis--) {
    if (++index[axis] < tensor->shape[axis])
      return 1;
    index[axis] = 0;
  }
  return 0;
}

int wrote_anything(const struct room *room) {
  for (size_t i = 0; i < room->bytes; i++)
    if (room->memory[i] != pattern)
      return 1;
  return 0;
}

int wrote_beside(const struct room *room) {
  unsigned char *owned = calloc(room->bytes, 1);
  if (!owned)
    exit(2);
  FOR_EACH_ELEMENT (&room->tensor, index)
    memset(owned + ((unsigned char *)element_of(&room->tensor, index) - room->memory), 1,
           size_of_type(room->tensor.type));
  int wrote = 0;
  for (size_t i = 0; i < room->bytes && !wrote; i++)
    wrote = !owned[i] && room->memory[i] != pattern;
  free(owned);
  return wrote;
}

uint64_t hash_elements(uint64_t hash, const attention_tensor *tensor) {
  FOR_EACH_ELEMENT (tensor, index)
    hash = hash_bytes(hash, element_of(tensor, index), size_of_type(tensor->type));
  return hash;
}
