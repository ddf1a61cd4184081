// Random options of a problem: masks, alignments, what changes scores.

#include "problem.h"

#include <math.h>
#include <stdlib.h>

// What the modifier of these checks makes of a score; it hides every ninth key.
static double modified(double score, int64_t sequence, int64_t head, int64_t query, int64_t key) {
  if ((key + query) % 9 == 8)
    return -INFINITY;
  return 0.5 * score + 0.125 * (double)((sequence + 2 * head + 3 * query + 5 * key) % 7);
}

// The context is the problem, to hold positions against.
static void modify(void *context, const attention_scores *s) {
  const struct problem *p = context;
  const int is_right = s->sequence >= 0 && s->sequence < p->batch && s->head >= 0 &&
                       s->head < p->query_heads && s->position == s->query + p->resolved_offsets[s->sequence];
  for (int64_t i = 0; i < s->count; i++) {
    float *single = (float *)s->scores + i;
    double *dbl = (double *)s->scores + i;
    const double old = s->type == ATTENTION_FLOAT64 ? *dbl : (double)*single;
    // A wrong place becomes a wrong result.
    const double new = is_right ? modified(old, s->sequence, s->head, s->query, s->key + i) : 1e3;
    if (s->type == ATTENTION_FLOAT64)
      *dbl = new;
    else
      *single = (float)new;
  }
}

static void draw_alignment(struct random *random, struct problem *p) {
  attention_options *o = &p->options;
  o->alignment = (attention_alignment)random_below(random, 3);
  if (o->alignment == ATTENTION_OFFSETS) {
    o->offsets = p->offsets;
    o->offset_count = one_in(random, 2) || p->batch == 0 ? 1 : p->batch;
    for (int64_t b = 0; b < most_sequences; b++)
      p->offsets[b] = random_from(random, -5, p->source.count + 5);
  }
  for (int64_t b = 0; b < p->batch; b++)
    p->resolved_offsets[b] = o->alignment == ATTENTION_BOTTOM_RIGHT
                                 ? p->source.lengths[b] - p->query_lengths[b]
                             : o->alignment == ATTENTION_TOP_LEFT ? 0
                                                                  : p->offsets[o->offset_count == 1 ? 0 : b];
}

static void draw_range(struct random *random, struct problem *p) {
  attention_options *o = &p->options;
  struct reference *r = &p->reference;
  r->left = r->right = -1;
  o->causal = r->causal = (int)random_below(random, 2);
  if (!one_in(random, 3))
    return;
  if (one_in(random, 2)) {
    r->right = p->window_right = random_from(random, 0, 20);
    o->window_right = &p->window_right;
  }
  if (!o->window_right || one_in(random, 2)) {
    r->left = p->window_left = random_from(random, 0, 40);
    o->window_left = &p->window_left;
  }
  o->keeping_first = r->keeping_first = one_in(random, 2) ? 0 : random_from(random, 1, 6);
}

// One mask of `rank` axes, each whole or 1; the last one may end early.
static void draw_mask(struct random *random, struct problem *p, int64_t number) {
  static const attention_type types[] = {ATTENTION_BOOL,    ATTENTION_BOOL,     ATTENTION_FLOAT32,
                                         ATTENTION_FLOAT16, ATTENTION_BFLOAT16, ATTENTION_FLOAT64};
  const struct reference *r = &p->reference;
  const attention_type type = types[random_below(random, 6)];
  const int rank = (int)random_from(random, 1, 4);
  const int64_t all[4] = {r->batch, r->query_heads, r->queries, r->keys};
  int64_t shape[4] = {1, 1, 1, 1};
  for (int axis = 4 - rank; axis < 4; axis++)
    shape[axis] = one_in(random, 3) ? 1 : all[axis];
  if (r->keys > 2 && one_in(random, 4))
    shape[3] = random_from(random, 2, r->keys - 1);
  struct room *room = &p->mask_rooms[number];
  *room = make_input(type, rank, shape + 4 - rank, (enum layout)random_below(random, layout_count));
  FOR_EACH_ELEMENT (&room->tensor, index)
    put(&room->tensor, index,
        type == ATTENTION_BOOL ? (double)!one_in(random, 4)
        : one_in(random, 8)    ? -INFINITY
                               : random_unit(random));
  p->masks[number] = room->tensor;
  int64_t place = 0;
  for (int64_t b = 0; b < r->batch; b++)
    for (int64_t h = 0; h < r->query_heads; h++)
      for (int64_t i = 0; i < r->queries; i++)
        for (int64_t j = 0; j < r->keys; j++, place++) {
          const int64_t at[4] = {b, h, i, j};
          int64_t index[4] = {0};
          for (int axis = 4 - rank; axis < 4; axis++)
            index[axis - (4 - rank)] = shape[axis] == 1 ? 0 : at[axis];
          // Past the end of a short last axis.
          const int is_past = shape[3] != 1 && j >= shape[3];
          const double x = is_past ? 0 : get(&room->tensor, index);
          if (is_past || (type == ATTENTION_BOOL ? x == 0 : x == -INFINITY))
            p->hidden[place] = 1;
          else if (type != ATTENTION_BOOL)
            p->bias[place] += x;
        }
}

static void draw_masks(struct random *random, struct problem *p) {
  struct reference *r = &p->reference;
  p->options.mask_count = one_in(random, 3) ? random_from(random, 1, most_masks) : 0;
  if (p->options.mask_count == 0)
    return;
  p->options.masks = p->masks;
  const int64_t scores = r->batch * r->query_heads * r->queries * r->keys;
  r->bias = p->bias = calloc((size_t)scores + 1, sizeof *p->bias);
  r->hidden = p->hidden = calloc((size_t)scores + 1, 1);
  if (!p->bias || !p->hidden)
    exit(2);
  for (int64_t i = 0; i < p->options.mask_count; i++)
    draw_mask(random, p, i);
}

void draw_options(struct random *random, struct problem *p) {
  attention_options *o = &p->options;
  struct reference *r = &p->reference;
  draw_alignment(random, p);
  draw_range(random, p);
  draw_masks(random, p);
  p->scale = r->scale = 1 / sqrt((double)r->depth);
  if (one_in(random, 4)) {
    // Exactly a number of single precision.
    p->scale = r->scale = 0.25;
    o->scale = &p->scale;
  }
  if (one_in(random, 5))
    o->softcap = r->softcap = (double)random_from(random, 1, 30);
  for (int64_t h = 0; h < p->query_heads; h++) {
    p->slopes[h] = (double)random_from(random, 0, 8) / 16;
    p->sinks[h] = (double)random_from(random, -16, 16) / 8;
  }
  if (one_in(random, 5)) {
    o->alibi_slopes = r->slopes = p->slopes;
    o->alibi_slope_count = p->query_heads;
  }
  if (one_in(random, 5)) {
    o->sinks = r->sinks = p->sinks;
    o->sink_count = p->query_heads;
  }
  o->softmax_in_float64 = one_in(random, 6);
  if (one_in(random, 6)) {
    o->modifier = modify;
    o->modifier_context = p;
    r->modify = modified;
  }
  p->is_plain = !o->scale && !r->softcap && !r->bias && !r->slopes && !r->modify;
}
