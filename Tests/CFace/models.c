// See models.h.

#include "models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void turn_pair(attention_type type, double *a, double *b, double angle) {
  if (type == ATTENTION_FLOAT64) {
    const double c = cos(angle), s = sin(angle), x = *a, y = *b;
    *a = x * c - y * s;
    *b = y * c + x * s;
    return;
  }
  const float c = (float)cos(angle), s = (float)sin(angle), x = (float)*a, y = (float)*b;
  const float xc = x * c, ys = y * s, yc = y * c, xs = x * s;
  *a = (double)(xc - ys);
  *b = (double)(yc + xs);
}

void turn_row(const struct turning *t, attention_type type, double *row, int64_t position) {
  const int64_t rotated = t->rotated ? t->rotated : t->depth;
  for (int64_t i = 0; i < rotated / 2; i++) {
    const double frequency = pow(t->base, -(double)(2 * i) / (double)rotated);
    double *a = t->interleaved ? row + 2 * i : row + i, *b = t->interleaved ? a + 1 : a + rotated / 2;
    turn_pair(type, a, b, (double)position * frequency);
    *a = rounded_to(type, *a);
    *b = rounded_to(type, *b);
  }
}

static float largest_size(const double *row, int64_t columns) {
  float largest = 0;
  for (int64_t c = 0; c < columns; c++)
    largest = fmaxf(largest, fabsf((float)row[c]));
  return largest;
}

// The nearest integer of x / scale, which rounds to a float first.
static float quotient(double x, float scale, float bound) {
  const float exact = (float)x / scale;
  return rintf(fmaxf(fminf(exact, bound), -bound));
}

float quantized_row(const double *row, int64_t columns, int8_t *integers) {
  const float scale = largest_size(row, columns) / 127.0f;
  for (int64_t c = 0; c < columns; c++)
    integers[c] = scale == 0 ? 0 : (int8_t)quotient(row[c], scale, 127.0f);
  return scale;
}

void store_row(attention_cache_type type, double *row, int64_t columns) {
  static const attention_type types[] = {ATTENTION_FLOAT32, ATTENTION_BFLOAT16, ATTENTION_FLOAT16};
  if (type <= ATTENTION_CACHE_FLOAT16) {
    for (int64_t c = 0; c < columns; c++)
      row[c] = rounded_to(types[type], row[c]);
    return;
  }
  const int64_t group = type == ATTENTION_CACHE_INT8 ? columns : 32;
  const float bound = type == ATTENTION_CACHE_INT8 ? 127.0f : 7.0f;
  for (int64_t first = 0; first < columns; first += group) {
    const int64_t count = columns - first < group ? columns - first : group;
    const float scale = largest_size(row + first, count) / bound;
    for (int64_t c = first; c < first + count; c++)
      row[c] = scale == 0 ? 0 : (double)scale * (double)quotient(row[c], scale, bound);
  }
}

struct model make_model(const attention_cache_sizes *sizes) {
  struct model model = {.layers = sizes->layers,
                        .heads = sizes->heads,
                        .depth = sizes->depth,
                        .width = sizes->width ? sizes->width : sizes->depth};
  const size_t rows = (size_t)(model.layers * most_tokens * model.heads);
  model.keys = calloc(rows * (size_t)model.depth, sizeof(double));
  model.values = calloc(rows * (size_t)model.width, sizeof(double));
  if (!model.keys || !model.values)
    exit(2);
  return model;
}

void free_model(struct model *model) {
  free(model->keys);
  free(model->values);
  model->keys = model->values = NULL;
}

double *model_key(const struct model *m, int64_t layer, int64_t token, int64_t head) {
  return m->keys + ((layer * most_tokens + token) * m->heads + head) * m->depth;
}

double *model_value(const struct model *m, int64_t layer, int64_t token, int64_t head) {
  return m->values + ((layer * most_tokens + token) * m->heads + head) * m->width;
}

void copy_model(struct model *model, const struct model *from, int64_t count) {
  const size_t rows = (size_t)(from->layers * most_tokens * from->heads);
  memcpy(model->keys, from->keys, rows * (size_t)from->depth * sizeof(double));
  memcpy(model->values, from->values, rows * (size_t)from->width * sizeof(double));
  memcpy(model->tokens, from->tokens, sizeof model->tokens);
  model->count = count;
  model->known = count < from->known ? count : from->known;
}
