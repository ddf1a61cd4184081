// What a cache must hold, in plain arrays: rows turned and rounded by their definitions.

#ifndef CFACE_MODELS_H
#define CFACE_MODELS_H

#include "values.h"

enum { most_tokens = 160, most_layers = 3 };

struct turning {
  int64_t depth, rotated;
  double base;
  int interleaved;
};

// Turns a row of numbers by its position: angles, cosines and sines in double, rounded once to float, as are
// each product and each sum; all in double where the row is of doubles.
void turn_row(const struct turning *turning, attention_type type, double *row, int64_t position);

// What a cache of a type makes of a row of floats.
void store_row(attention_cache_type type, double *row, int64_t columns);
// Integers and scale of an INT8 row.
float quantized_row(const double *row, int64_t columns, int8_t *integers);

struct model {
  // `known`: how many of the first tokens came with their ids.
  int64_t count, known, layers, heads, depth, width;
  // Ids of the tokens.
  int64_t tokens[most_tokens];
  // [layer][token][head][column]
  double *keys, *values;
};
struct model make_model(const attention_cache_sizes *sizes);
void free_model(struct model *model);
// The first `count` tokens of another.
void copy_model(struct model *model, const struct model *from, int64_t count);
double *model_key(const struct model *model, int64_t layer, int64_t token, int64_t head);
double *model_value(const struct model *model, int64_t layer, int64_t token, int64_t head);

#endif
