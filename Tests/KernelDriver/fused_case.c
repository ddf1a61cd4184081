// See fused_case.h: making cases and running them. What is expected is in fused_expected.c.

#include "fused_case.h"

#include "storage.h"

#include <math.h>
#include <string.h>

static float stored(const struct fused_case *c, double x) {
  return c->is_bf16 ? (float)value_of_word(&storage_bf16, word_of_value(&storage_bf16, x)) : (float)x;
}

// Eighths: sums of their products have few bits.
static float eighth(struct random *random) { return (float)(random_below(random, 17) - 8) / 8; }

static void fill_ranges(struct fused_case *c, struct random *random) {
  const ptrdiff_t keys = c->counts[0] + c->counts[1];
  for (ptrdiff_t r = 0; r < c->lanes; r++) {
    ptrdiff_t begin = random_below(random, keys + 1), end = begin + random_below(random, keys + 2 - begin);
    switch (c->ranges) {
    case causal:
      begin = -c->first, end = keys * (r + 1) / c->rows + random_below(random, 2);
      break;
    case windows:
      begin = (keys - 1) * r / c->rows - random_below(random, 9), end = begin + 1 + random_below(random, 12);
      break;
    case some_empty:
      if (r % 3 == 1)
        begin = keys + 5, end = random_below(random, keys);
      break;
    case first_vector_empty:
      end = r < c->lanes / 2 ? begin : end;
      break;
    case second_vector_empty:
      end = r < c->lanes / 2 ? end : begin;
      break;
    default:
      break;
    }
    // Lanes past the rows say nothing.
    c->begin[r] = r < c->rows ? (int32_t)(c->first + begin) : (int32_t)random_below(random, 600);
    c->end[r] = r < c->rows ? (int32_t)(c->first + end) : (int32_t)random_below(random, 600);
    if (c->ranges == anything_at_all && r % 5 == 2)
      c->begin[r] = INT32_MIN, c->end[r] = INT32_MAX;
  }
}

// Bits of lanes past the rows may be any.
static void fill_visible(struct fused_case *c, ptrdiff_t tile, struct random *random) {
  uint32_t word = 0;
  for (ptrdiff_t j = 0; j < c->counts[0] + c->counts[1]; j++) {
    const ptrdiff_t place = j < c->counts[0] ? j : j - c->counts[0];
    if (c->shown == some_shown || place % tile == 0)
      word = (uint32_t)(random_bits(random) >> 16);
    if (c->shown == tiles_shown) {
      // Tiles that nobody sees, that all see, that one vector sees.
      const uint32_t first = ((uint32_t)1 << c->lanes / 2) - 1, words[] = {0, UINT32_MAX, word, first, ~first};
      word = place % tile == 0 ? words[random_below(random, 5)] : word;
    }
    c->visible[j] = c->shown == no_keys_shown ? word & 0x5A5A5A5A : word;
  }
}

static void fill_biases(struct fused_case *c, struct random *random) {
  for (ptrdiff_t j = 0; j < c->counts[0] + c->counts[1]; j++)
    for (ptrdiff_t r = 0; r < c->lanes; r++) {
      const int is_seen = c->shown == all_shown || (c->visible[j] >> r & 1);
      c->bias[j][r] = !is_seen && random_below(random, 2) ? -0x1.5p127f
                      : c->scores == rounded_scores       ? (float)random_between(random, -3, 3)
                                                          : eighth(random) * 4;
    }
}

void fill_fused_case(struct fused_case *c, ptrdiff_t tile, struct random *random) {
  static const float jumps[] = {0, 50, 2, 250, 30, 252, 256, 3, -240, 256};
  const ptrdiff_t keys = c->counts[0] + c->counts[1];
  const int has_rules = c->softcap > 0 || c->has_slopes || c->has_bias;
  const float log2_e = 0x1.715476p+0f, usual_scale = 1 / sqrtf((float)c->head_dim);
  switch (c->scores) {
  case rounded_scores:
    c->scale = has_rules ? usual_scale : 1, c->factor = has_rules ? log2_e : log2_e * usual_scale;
    break;
  case distant_scores:
    c->scale = has_rules ? 0.5f : 1, c->factor = log2_e;
    break;
  default:
    c->scale = has_rules ? 2 : 1, c->factor = 0.5f;
  }
  for (ptrdiff_t r = 0; r < c->lanes; r++) {
    for (ptrdiff_t d = 0; d < c->head_dim; d++)
      c->query[r][d] = r >= c->rows                   ? 0
                       : c->scores == rounded_scores ? stored(c, random_between(random, -1.7, 1.7))
                                                      : eighth(random);
    // Rows whose scores jump up, and some whose scores jump down.
    if (c->scores == jumping_scores && r < c->rows)
      c->query[r][0] = r % 4 == 3 ? -1 : 1;
    if (c->scores == distant_scores && r < c->rows)
      c->query[r][0] = r % 4 == 3 ? -1 : 1;
    // Further still, and as far from each other in proportion.
    if (c->scores == distant_scores && r % 4 == 2 && !c->has_slopes && !c->has_bias)
      for (ptrdiff_t d = 0; d < c->head_dim; d++)
        c->query[r][d] *= 0x1p40f;
    c->slope[r] = (float)ldexp(1, -(int)(r % 6));
    c->position[r] = c->first + random_below(random, keys + 1);
  }
  for (ptrdiff_t j = 0; j < keys; j++) {
    const float growth = c->scores == growing_scores ? (float)ldexp(1, (int)(j / 5 % 7)) : 1;
    for (ptrdiff_t d = 0; d < c->head_dim; d++)
      c->key[j][d] = c->scores == rounded_scores ? stored(c, random_between(random, -1.7, 1.7))
                                                 : eighth(random) * growth;
    if (c->scores == jumping_scores)
      c->key[j][0] = 2 * jumps[j / 3 % 10];
    // Not all on the same side: the row starts anew.
    if (c->scores == distant_scores)
      c->key[j][0] = j % 29 == 28 ? -0x1p17f : 0x1p17f;
    for (ptrdiff_t d = 0; d < c->value_dim; d++)
      c->value[j][d] = d ? stored(c, random_between(random, -1.7, 1.7)) : 1;
  }
  fill_ranges(c, random);
  fill_visible(c, tile, random);
  fill_biases(c, random);
}

// Rooms of a run: of each block its keys and values, then these.
enum {
  keys_room,
  values_room,
  queries_room = 4,
  output_room,
  state_room,
  ranges_room,
  slopes_room,
  positions_room,
  scratch_room,
  bias_room = 12,
  visible_room
};

// Keys of a block where the kernels read them: elements, rows apart by a gap of NaN, none behind the last.
static void *place_keys(const struct fused_case *c, int block, ptrdiff_t stride, enum edge edge) {
  const struct storage *type = c->is_bf16 ? &storage_bf16 : &storage_f32;
  const ptrdiff_t count = c->counts[block], from = block ? c->counts[0] : 0;
  const ptrdiff_t elements = count ? (count - 1) * stride + c->head_dim : 0;
  void *keys = room(2 * block + keys_room, elements * type->size, edge);
  for (ptrdiff_t i = 0; i < elements; i++)
    store_value(type, keys, i, i % stride < c->head_dim ? c->key[from + i / stride][i % stride] : NAN);
  return keys;
}

// Values, or words of two rows of them; 0 past the last row.
static void *place_values(const struct fused_case *c, int block, ptrdiff_t stride, enum edge edge) {
  const ptrdiff_t count = c->counts[block], from = block ? c->counts[0] : 0, per_row = c->is_bf16 ? 2 : 1;
  const ptrdiff_t rows = (count + per_row - 1) / per_row, words = rows ? (rows - 1) * stride + c->value_dim : 0;
  float *values = room(2 * block + values_room, words * (ptrdiff_t)sizeof(float), edge);
  for (ptrdiff_t i = 0; i < words; i++) {
    const ptrdiff_t j = i / stride * per_row, d = i % stride;
    if (d >= c->value_dim)
      values[i] = NAN;
    else if (!c->is_bf16)
      values[i] = c->value[from + j][d];
    else
      for (ptrdiff_t half = 0; half < 2; half++)
        store_value(&storage_bf16, values, 2 * i + half, j + half < count ? c->value[from + j + half][d] : 0);
  }
  return values;
}

static void place_panel(kernel_set *set, const struct fused_case *c, struct CAttentionKernels_panel *panel,
                        enum edge edge) {
  const ptrdiff_t lanes = set->panel_rows, bytes = lanes * (ptrdiff_t)sizeof(float);
  float *queries = room(queries_room, (c->is_bf16 ? c->head_dim / 2 : c->head_dim) * bytes, edge);
  float *state = room(state_room, 5 * bytes, edge);
  float *output = room(output_room, c->value_dim * bytes, edge);
  for (ptrdiff_t r = 0; r < lanes; r++) {
    for (ptrdiff_t d = 0; d < c->head_dim; d++) {
      if (c->is_bf16)
        store_value(&storage_bf16, queries, (d / 2 * lanes + r) * 2 + d % 2, c->query[r][d]);
      else
        queries[d * lanes + r] = c->query[r][d];
    }
    state[r] = state[lanes + r] = -INFINITY;
    state[2 * lanes + r] = state[3 * lanes + r] = 0;
    state[4 * lanes + r] = c->with_mass ? 0 : NAN;
  }
  // Nobody reads an output that is not there.
  for (ptrdiff_t i = 0; i < c->value_dim * lanes; i++)
    output[i] = NAN;
  *panel = (struct CAttentionKernels_panel){.queries = queries, .output = output, .origin = state,
                                            .threshold = state + lanes, .shift = state + 2 * lanes,
                                            .sum = state + 3 * lanes, .mass = c->with_mass ? state + 4 * lanes : NULL,
                                            .rows = c->rows};
  if (c->ranges != see_all) {
    int32_t *ranges = room(ranges_room, 2 * lanes * (ptrdiff_t)sizeof *ranges, edge);
    panel->begin = memcpy(ranges, c->begin, (size_t)lanes * sizeof *ranges);
    panel->end = memcpy(ranges + lanes, c->end, (size_t)lanes * sizeof *ranges);
  }
  if (c->has_slopes) {
    panel->slopes = memcpy(room(slopes_room, bytes, edge), c->slope, (size_t)bytes);
    panel->positions = memcpy(room(positions_room, 2 * bytes, edge), c->position, (size_t)(2 * bytes));
  }
}

// What masks say of the keys of a block.
static void place_masks(const struct fused_case *c, int number, struct CAttentionKernels_panel *panel, enum edge edge) {
  const ptrdiff_t count = c->counts[number], from = number ? c->counts[0] : 0;
  panel->bias = NULL;
  panel->visible = NULL;
  if (c->has_bias) {
    float *bias = room(bias_room, count * c->lanes * (ptrdiff_t)sizeof *bias, edge);
    for (ptrdiff_t j = 0; j < count; j++)
      memcpy(bias + j * c->lanes, c->bias[from + j], (size_t)c->lanes * sizeof *bias);
    panel->bias = bias;
  }
  if (c->shown != all_shown) {
    uint32_t *visible = room(visible_room, count * (ptrdiff_t)sizeof *visible, edge);
    panel->visible = memcpy(visible, c->visible + from, (size_t)count * sizeof *visible);
  }
}

void run_fused(kernel_set *set, const struct fused_case *c, struct fused_result *result, enum edge edge) {
  const ptrdiff_t lanes = set->panel_rows, key_stride = c->head_dim + c->key_gap;
  const ptrdiff_t value_stride = c->value_dim + c->value_gap;
  struct CAttentionKernels_panel panel;
  place_panel(set, c, &panel, edge);
  for (int i = 0; i < 2; i++) {
    // Hints, to anywhere.
    struct CAttentionKernels_hint hints[CAttentionKernels_hint_count] = {{NULL, 0, 0, 0},
                                                                      {(const char *)64, 192, 130, 5}};
    struct CAttentionKernels_block block = {
        .keys = place_keys(c, i, key_stride, edge), .values = place_values(c, i, value_stride, edge),
        .key_stride = key_stride, .value_stride = value_stride,
        .first = c->first + (i ? c->counts[0] : 0), .count = c->counts[i],
        .head_dim = c->head_dim, .value_dim = c->value_dim, 
        .scale = c->scale, .factor = c->factor, .softcap = c->softcap,
        .scratch = room(scratch_room, set->block_scratch * (ptrdiff_t)sizeof(float), edge), .hints = hints, .hint_rows = i + c->value_dim % 9};
    for (ptrdiff_t k = 0; k < set->block_scratch; k++)
      block.scratch[k] = NAN;
    place_masks(c, i, &panel, edge);
    (c->with_mass ? set->attend_block_bf16_with_mass : c->is_bf16 ? set->attend_block_bf16 : set->attend_block_f32)(&block,
                                                                                                         &panel);
    expect_untouched_around_room(scratch_room);
    expect_equal_integer(i, hints[1].rows >= 0 && hints[1].next == (const char *)64 + 192 * (5 - hints[1].rows), 1);
  }
  expect_untouched_around_room(output_room);
  expect_untouched_around_room(state_room);
  for (ptrdiff_t r = 0; r < lanes; r++) {
    result->origin[r] = panel.origin[r];
    result->shift[r] = panel.shift[r];
    result->threshold[r] = panel.threshold[r];
    result->sum[r] = panel.sum[r];
    result->mass[r] = c->with_mass ? panel.mass[r] : 0;
    for (ptrdiff_t d = 0; d < c->value_dim; d++)
      result->output[d][r] = panel.has_output ? panel.output[d * lanes + r] : 0;
  }
}

void expect_same_lane(const struct fused_case *c, const struct fused_result *got, ptrdiff_t b,
                      const struct fused_result *expected, ptrdiff_t a, int with_output) {
  expect_equal_f32(b, got->origin[b], expected->origin[a]);
  expect_equal_f32(b, got->shift[b], expected->shift[a]);
  expect_equal_f32(b, got->sum[b], expected->sum[a]);
  expect_equal_f32(b, got->mass[b], expected->mass[a]);
  for (ptrdiff_t d = 0; with_output && d < c->value_dim; d++)
    expect_equal_f32(d, got->output[d][b], expected->output[d][a]);
}
