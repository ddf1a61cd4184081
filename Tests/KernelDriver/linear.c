// Weights in panels, inputs in the forms that go with them, and their products: by the definitions, in double; a row's bits alone and among
// others; nothing written beside the outputs.

#include "linear_weight.h"

#include <float.h>
#include <math.h>
#include <string.h>

// Options of a product: each case has some.
struct product {
  ptrdiff_t rows, inputs, outputs, input_gap, output_gap;
  int has_bias, adds;
};

static struct product product_of(ptrdiff_t inputs, ptrdiff_t outputs) {
  const ptrdiff_t turn = inputs * 3 + outputs * 7;
  return (struct product){.rows = 1 + turn % 13,
                          .inputs = inputs,
                          .outputs = outputs,
                          .input_gap = turn % 3 * 4,
                          .output_gap = turn % 4,
                          .has_bias = turn % 2,
                          .adds = turn / 2 % 2};
}

enum { rows_at, panels_at, floats_at, inputs_at, scales_at, bias_at, outputs_at };

// The weight in rows of floats, and in panels.
static const float *pack_weight(const struct weight *weight, const struct product *p, enum edge edge, struct random *random) {
  const ptrdiff_t stride = p->inputs + p->outputs % 3, bytes = panel_bytes(weight, p->inputs);
  const ptrdiff_t panels = (p->outputs + panel_outputs - 1) / panel_outputs;
  float *rows = room(rows_at, ((p->outputs - 1) * stride + p->inputs) * 4, edge);
  for (ptrdiff_t o = 0; o < p->outputs; o++)
    for (ptrdiff_t k = 0; k < p->inputs; k++)
      rows[o * stride + k] = (float)random_between(random, -2, 2);
  char *panel = room(panels_at, panels * bytes, edge);
  for (ptrdiff_t o = 0; o < p->outputs; o += panel_outputs, panel += bytes)
    pack(weight, panel, rows + o * stride, stride, p->outputs - o < panel_outputs ? p->outputs - o : panel_outputs, p->inputs);
  return rows;
}

// The call for all rows of a case: what the kernel reads is in rooms.
static struct CAttentionKernels_linear call_of(const struct weight *weight, const struct product *p, enum edge edge,
                                               struct random *random) {
  const ptrdiff_t input_stride = input_bytes(weight, p->inputs) + p->input_gap, scales = input_scales(weight, p->inputs);
  float *x = room(floats_at, p->rows * p->inputs * 4, edge);
  char *inputs = room(inputs_at, (p->rows - 1) * input_stride + input_bytes(weight, p->inputs), edge);
  float *scale = room(scales_at, p->rows * scales * 4, edge), *bias = room(bias_at, p->outputs * 4, edge);
  for (ptrdiff_t i = 0; i < p->rows * p->inputs; i++)
    x[i] = (float)random_between(random, -2, 2);
  for (ptrdiff_t r = 0; r < p->rows; r++)
    convert_inputs(weight, inputs + r * input_stride, scale + r * scales, x + r * p->inputs, p->inputs);
  for (ptrdiff_t o = 0; o < p->outputs; o++)
    bias[o] = (float)random_between(random, -2, 2);
  return (struct CAttentionKernels_linear){.inputs = inputs,
                                           .input_stride = input_stride,
                                           .rows = p->rows,
                                           .inputs_per_row = p->inputs,
                                           .input_scales = scales ? scale : NULL,
                                           .scale_stride = scales,
                                           .panels = room_piece(panels_at),
                                           .panel_stride = panel_bytes(weight, p->inputs),
                                           .output_count = p->outputs,
                                           .end_output = p->outputs,
                                           .bias = p->has_bias ? bias : NULL,
                                           .adds = p->adds};
}

// What the outputs hold before.
static float held_before(ptrdiff_t row, ptrdiff_t output) { return (float)(row * 5 % 7) - 0.37f * (float)(output % 11); }

static float *fill_outputs(const struct product *p, int number, enum edge edge) {
  const ptrdiff_t stride = p->outputs + p->output_gap;
  float *outputs = room(number, ((p->rows - 1) * stride + p->outputs) * 4, edge);
  for (ptrdiff_t r = 0; r < p->rows; r++)
    for (ptrdiff_t o = 0; o < p->outputs; o++)
      outputs[r * stride + o] = held_before(r, o);
  return outputs;
}

// Each product and each sum is rounded once, and both where there is no fma; the bias, what is held and their sum start it. A block of
// integers is exact until it becomes a float, and so do its scales' product and the sum: three roundings of its size, then those of the sum.
static void expect_outputs(const struct weight *weight, const struct product *p, const struct CAttentionKernels_linear *call,
                           const float *outputs) {
  const ptrdiff_t stride = p->outputs + p->output_gap, block = weight->is_integer ? panel_block : 1;
  const double unit = 0x1.01p-24, roundings = (double)(2 * ((p->inputs + block - 1) / block) + 6);
  for (ptrdiff_t r = 0; r < p->rows; r++)
    for (ptrdiff_t o = 0; o < p->outputs; o++) {
      const double bias = p->has_bias ? call->bias[o] : 0, held = p->adds ? held_before(r, o) : 0;
      double sum = bias + held, size = fabs(bias) + fabs(held);
      for (ptrdiff_t k = 0; k < p->inputs;) {
        double part = 0;
        for (ptrdiff_t end = k + block; k < end && k < p->inputs; k++)
          part += input_value(weight, call, r, k) * panel_value(weight, call->panels, p->inputs, o, k);
        sum += part;
        size += fabs(part);
      }
      expect_within_f32(r * stride + o, outputs[r * stride + o], sum, roundings * unit * size);
    }
}

// Gaps between rows keep the pattern of their room.
static void expect_gaps(const struct product *p, const float *outputs) {
  for (ptrdiff_t r = 0; r + 1 < p->rows; r++)
    for (ptrdiff_t gap = 0; gap < p->output_gap; gap++) {
      uint32_t bits;
      memcpy(&bits, outputs + r * (p->outputs + p->output_gap) + p->outputs + gap, sizeof bits);
      expect_equal_integer(r, bits, 0xA5A5A5A5);
    }
}

static void check_product(const struct weight *weight, struct product p, enum edge edge, struct random *random) {
  begin_case("%td rows, %td inputs, %td outputs, gaps %td and %td%s%s", p.rows, p.inputs, p.outputs, p.input_gap, p.output_gap,
             p.has_bias ? ", bias" : "", p.adds ? ", adds" : "");
  pack_weight(weight, &p, edge, random);
  struct CAttentionKernels_linear call = call_of(weight, &p, edge, random);
  call.output_stride = p.outputs + p.output_gap;
  float *outputs = call.outputs = fill_outputs(&p, outputs_at, edge);
  weight->multiply(&call);
  expect_outputs(weight, &p, &call, outputs);
  expect_gaps(&p, outputs);
  expect_untouched_around_room(outputs_at);
  // Each row alone, and some panels of it: the same bits, and no others.
  for (ptrdiff_t r = 0; r < p.rows; r++) {
    float *alone = call.outputs = fill_outputs(&p, outputs_at + 1, edge);
    struct CAttentionKernels_linear one = call;
    one.rows = 1;
    one.inputs = (const char *)call.inputs + r * call.input_stride;
    one.input_scales = call.input_scales ? call.input_scales + r * call.scale_stride : NULL;
    one.outputs = alone + r * call.output_stride;
    one.first_output = p.outputs > panel_outputs && r % 2 ? panel_outputs : 0;
    one.end_output = p.outputs > 2 * panel_outputs && r % 3 ? 2 * panel_outputs : p.outputs;
    weight->multiply(&one);
    for (ptrdiff_t i = 0; i < p.rows; i++)
      for (ptrdiff_t o = 0; o < p.outputs; o++) {
        const ptrdiff_t at = i * call.output_stride + o;
        expect_equal_f32(at, alone[at], i == r && o >= one.first_output && o < one.end_output ? outputs[at] : held_before(i, o));
      }
  }
}

// NaN or infinity in a row stays in it, one in a weight stays in its output, and what fills up a panel makes none of its own.
static void check_poison(const struct weight *weight, enum edge edge, struct random *random) {
  if (weight->is_integer)
    return;
  const float poisons[] = {NAN, INFINITY, -INFINITY};
  for (int turn = 0; turn < 24; turn++) {
    const struct product p = {.rows = 1 + turn % 7, .inputs = 5 + turn, .outputs = 67};
    const ptrdiff_t row = turn % p.rows, output = turn * 5 % p.outputs, at = turn % p.inputs;
    begin_case("%g in row %td of %td and in output %td, at input %td of %td", poisons[turn % 3], row, p.rows, output, at, p.inputs);
    float *rows = (float *)pack_weight(weight, &p, edge, random);
    const ptrdiff_t stride = p.inputs + p.outputs % 3;
    rows[output * stride + at] = poisons[turn % 3];
    const ptrdiff_t first = output / panel_outputs * panel_outputs;
    pack(weight, (char *)room_piece(panels_at) + output / panel_outputs * panel_bytes(weight, p.inputs), rows + first * stride, stride,
         p.outputs - first < panel_outputs ? p.outputs - first : panel_outputs, p.inputs);
    struct CAttentionKernels_linear call = call_of(weight, &p, edge, random);
    float *x = room_piece(floats_at);
    x[row * p.inputs + at] = poisons[turn % 3];
    convert_inputs(weight, (char *)call.inputs + row * call.input_stride, NULL, x + row * p.inputs, p.inputs);
    call.output_stride = p.outputs;
    call.outputs = fill_outputs(&p, outputs_at, edge);
    weight->multiply(&call);
    for (ptrdiff_t i = 0; i < p.rows * p.outputs; i++)
      expect_equal_integer(i, isfinite(call.outputs[i]) != 0, i / p.outputs != row && i % p.outputs != output);
  }
}

static void check_products(const struct weight *weight) {
  static const ptrdiff_t longer[] = {255, 256, 257, 500};
  static const ptrdiff_t outputs[] = {1, 15, 16, 17, 33, 63, 64, 65, 100, 127, 128, 129, 190, 200};
  struct random random = {51};
  for (int i = 1; i <= 134; i++)
    for (int turn = 0; turn < 3; turn++)
      check_product(weight, product_of(i <= 130 ? i : longer[i - 131], outputs[(i * 3 + turn * 5) % 14]), (enum edge)((i + turn) % 2),
                    &random);
  for (ptrdiff_t o = 1; o <= 200; o++)
    check_product(weight, product_of(1 + o * 7 % 50, o), (enum edge)(o % 2), &random);
  FOR_EACH_EDGE (edge)
    check_poison(weight, edge, &random);
}

#define CHECK_LINEAR(type)                                                                                   \
  {                                                                                                          \
    const struct weight weight = weight_##type(set);                                                         \
    (void)BEGIN_ENTRY(set, linear_##type);                                                                   \
    check_products(&weight);                                                                                 \
  }

void check_linear(kernel_set *set) {
  CHECK_LINEAR(f32)
  CHECK_LINEAR(f16)
  CHECK_LINEAR(bf16)
  CHECK_LINEAR(i8)
}
