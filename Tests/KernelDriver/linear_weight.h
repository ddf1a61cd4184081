// Weights in panels and rows of inputs, by what CAttentionKernels.h says of them. Nothing here is shared with the kernels.

#ifndef KERNELDRIVER_LINEAR_WEIGHT_H
#define KERNELDRIVER_LINEAR_WEIGHT_H

#include "check.h"
#include "memory.h"
#include "storage.h"

#include <string.h>

enum { panel_outputs = 64, panel_block = 32, block_bytes = panel_outputs * 34 };
_Static_assert((int)panel_outputs == CAttentionKernels_linear_outputs && (int)panel_block == CAttentionKernels_linear_block &&
                   (int)block_bytes == CAttentionKernels_linear_block_bytes,
               "a panel's sizes");

// A storage type of weights, and a set's kernels for it.
struct weight {
  const struct storage *storage; // of weights, and of inputs of pairs
  int is_pairs, is_integer;
  void (*multiply)(const struct CAttentionKernels_linear *linear);
  void (*pack)(void *panel, const float *rows, ptrdiff_t row_stride, ptrdiff_t outputs, ptrdiff_t inputs);
  int (*pack_integers)(void *panel, const float *rows, ptrdiff_t row_stride, ptrdiff_t outputs, ptrdiff_t inputs);
  void (*convert)(void *target, const float *x, ptrdiff_t n);
  int (*quantize)(void *target, float *scales, const float *x, ptrdiff_t n);
};

static inline struct weight weight_f32(kernel_set *set) {
  return (struct weight){.storage = &storage_f32, .multiply = set->linear_f32, .pack = set->pack_linear_f32};
}
static inline struct weight weight_f16(kernel_set *set) {
  return (struct weight){.storage = &storage_f16, .multiply = set->linear_f16, .pack = set->pack_linear_f16};
}
static inline struct weight weight_bf16(kernel_set *set) {
  return (struct weight){.storage = &storage_bf16,
                         .is_pairs = 1,
                         .multiply = set->linear_bf16,
                         .pack = set->pack_linear_bf16,
                         .convert = set->linear_inputs_bf16};
}
static inline struct weight weight_i8(kernel_set *set) {
  return (struct weight){.storage = &storage_i8,
                         .is_pairs = 1,
                         .is_integer = 1,
                         .multiply = set->linear_i8,
                         .pack_integers = set->pack_linear_i8,
                         .quantize = set->linear_inputs_i16};
}

static inline ptrdiff_t panel_bytes(const struct weight *weight, ptrdiff_t inputs) {
  if (weight->is_integer)
    return (inputs + panel_block - 1) / panel_block * block_bytes;
  return (weight->is_pairs ? (inputs + 1) / 2 * 2 : inputs) * panel_outputs * weight->storage->size;
}

// Fills a panel; 0 where a scale of integers is not finite.
static inline int pack(const struct weight *weight, void *panel, const float *rows, ptrdiff_t row_stride, ptrdiff_t outputs,
                       ptrdiff_t inputs) {
  if (weight->is_integer)
    return weight->pack_integers(panel, rows, row_stride, outputs, inputs);
  weight->pack(panel, rows, row_stride, outputs, inputs);
  return 1;
}

// Where what belongs to input k of output o of a panel is, in elements of the storage type.
static inline ptrdiff_t panel_place(const struct weight *weight, ptrdiff_t o, ptrdiff_t k) {
  return weight->is_pairs ? 2 * (k / 2 * panel_outputs + o) + k % 2 : k * panel_outputs + o;
}

// A panel's scale of f16 and its integer.
static inline uint16_t panel_scale(const void *panel, ptrdiff_t o, ptrdiff_t k) {
  return ((const uint16_t *)((const char *)panel + k / panel_block * block_bytes))[o];
}
static inline int panel_integer(const void *panel, ptrdiff_t o, ptrdiff_t k) {
  const int8_t *pairs = (const int8_t *)panel + k / panel_block * block_bytes + 2 * panel_outputs;
  return pairs[2 * (k % panel_block / 2 * panel_outputs + o) + k % 2];
}

// The number that input k of output o is multiplied by, of panels in a row.
static inline double panel_value(const struct weight *weight, const void *panels, ptrdiff_t inputs, ptrdiff_t output, ptrdiff_t k) {
  const char *panel = (const char *)panels + output / panel_outputs * panel_bytes(weight, inputs);
  const ptrdiff_t o = output % panel_outputs;
  if (weight->is_integer)
    return panel_integer(panel, o, k) * value_of_word(&storage_f16, panel_scale(panel, o, k));
  return stored_value(weight->storage, panel, panel_place(weight, o, k));
}

// Rows of inputs: bytes, scales, and what a number of them is.
static inline ptrdiff_t input_bytes(const struct weight *weight, ptrdiff_t inputs) {
  return weight->is_integer ? (inputs + panel_block - 1) / panel_block * panel_block * 2
         : weight->is_pairs ? (inputs + 1) / 2 * 4
                            : inputs * 4;
}
static inline ptrdiff_t input_scales(const struct weight *weight, ptrdiff_t inputs) {
  return weight->is_integer ? (inputs + panel_block - 1) / panel_block : 0;
}
static inline void convert_inputs(const struct weight *weight, void *target, float *scales, const float *x, ptrdiff_t n) {
  if (weight->is_integer)
    weight->quantize(target, scales, x, n);
  else if (weight->is_pairs)
    weight->convert(target, x, n);
  else
    memcpy(target, x, (size_t)n * sizeof *x);
}
static inline double input_value(const struct weight *weight, const struct CAttentionKernels_linear *call, ptrdiff_t row, ptrdiff_t k) {
  const void *inputs = (const char *)call->inputs + row * call->input_stride;
  if (weight->is_integer)
    return ((const int16_t *)inputs)[k] * (double)call->input_scales[row * call->scale_stride + k / panel_block];
  return stored_value(weight->is_pairs ? weight->storage : &storage_f32, inputs, k);
}

#endif
