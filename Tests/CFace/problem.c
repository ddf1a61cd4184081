// See problem.h.

#include "problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *array(int64_t count, size_t size) {
  void *memory = calloc((size_t)count + 1, size);
  if (!memory)
    exit(2);
  return memory;
}

static void draw_sizes(struct random *random, struct problem *p, int64_t work, struct source_sizes *sizes) {
  static const int64_t widths[] = {1, 2, 3, 5, 8, 15, 16, 17, 24, 32, 33, 40, 64, 65, 80, 96, 128, 192};
  static const int64_t groups[] = {1, 1, 2, 3, 4, 8};
  static const attention_type types[] = {ATTENTION_FLOAT32, ATTENTION_FLOAT16, ATTENTION_BFLOAT16,
                                         ATTENTION_INT8, ATTENTION_FLOAT64};
  const attention_type query_types[] = {ATTENTION_FLOAT32, ATTENTION_FLOAT32, ATTENTION_FLOAT16,
                                        ATTENTION_BFLOAT16, ATTENTION_FLOAT64};
  const attention_type type = query_types[random_below(random, 5)];
  do {
    p->batch = one_in(random, 20) ? 0 : random_from(random, 1, most_sequences);
    sizes->batch = p->batch;
    sizes->heads = random_from(random, 1, 2);
    p->query_heads = sizes->heads * groups[random_below(random, 6)];
    sizes->depth = widths[random_below(random, 18)];
    sizes->width = one_in(random, 2) ? sizes->depth : widths[random_below(random, 18)];
    p->query_count = one_in(random, 20)  ? 0
                     : one_in(random, 3) ? 1
                     : one_in(random, 2) ? random_from(random, 2, 6)
                                         : random_from(random, 7, 70);
    sizes->longest = one_in(random, 2) ? random_from(random, 0, 40) : random_from(random, 41, 700);
  } while (p->batch * p->query_heads * p->query_count * sizes->longest * (sizes->depth + sizes->width) >
           work);
  const int kinds = type == ATTENTION_FLOAT64 ? 5 : 4;
  sizes->keys = one_in(random, 3) && type != ATTENTION_FLOAT64 ? type : types[random_below(random, kinds)];
  sizes->values = one_in(random, 2) ? sizes->keys : types[random_below(random, kinds)];
  p->queries.tensor.type = type;
}

static void draw_queries(struct random *random, struct problem *p, int64_t depth) {
  const attention_type type = p->queries.tensor.type;
  const int64_t kind = random_below(random, 3);
  for (int64_t b = 0; b < p->batch; b++) {
    p->query_lengths[b] =
        kind == 0 || one_in(random, 3) ? p->query_count : random_from(random, 0, p->query_count);
    p->total_queries += p->query_lengths[b];
  }
  if (kind != 0) {
    p->queries.lengths = p->query_lengths;
    p->queries.length_count = p->batch;
  }
  if (kind == 2) {
    // Tq is the longest sequence here.
    int64_t most = 0;
    for (int64_t b = 0; b < p->batch; b++)
      most = p->query_lengths[b] > most ? p->query_lengths[b] : most;
    p->query_count = most;
    p->query_room = make_input(type, 3, (int64_t[]){p->total_queries, p->query_heads, depth},
                               (enum layout)random_below(random, layouts_of_results));
  } else
    p->query_room = make_input(type, 4, (int64_t[]){p->batch, p->query_heads, p->query_count, depth},
                               (enum layout)random_below(random, layout_count));
  p->queries.tensor = p->query_room.tensor;
  for (int64_t b = 0, start = 0; b < p->batch; start += p->query_lengths[b++])
    for (int64_t h = 0; h < p->query_heads; h++)
      for (int64_t i = 0; i < p->query_lengths[b]; i++)
        for (int64_t d = 0; d < depth; d++)
          put(&p->queries.tensor, kind == 2 ? (int64_t[4]){start + i, h, d} : (int64_t[4]){b, h, i, d},
              random_unit(random));
}

static void plain_numbers(struct problem *p) {
  const struct source_sizes *sizes = &p->source.sizes;
  struct reference *r = &p->reference;
  *r = (struct reference){.batch = p->batch,
                          .query_heads = p->query_heads,
                          .heads = sizes->heads,
                          .queries = p->query_count,
                          .keys = p->source.count,
                          .depth = sizes->depth,
                          .width = sizes->width,
                          .query_lengths = p->query_lengths,
                          .key_lengths = p->source.lengths,
                          .offsets = p->resolved_offsets};
  r->q = p->q = array(p->batch * p->query_heads * p->query_count * sizes->depth, sizeof(double));
  r->k = p->k = array(p->batch * sizes->heads * r->keys * sizes->depth, sizeof(double));
  r->v = p->v = array(p->batch * sizes->heads * r->keys * sizes->width, sizeof(double));
  for (int64_t b = 0, start = 0; b < p->batch; start += p->query_lengths[b++]) {
    for (int64_t h = 0; h < p->query_heads; h++)
      for (int64_t i = 0; i < p->query_lengths[b]; i++)
        for (int64_t d = 0; d < sizes->depth; d++)
          p->q[((b * p->query_heads + h) * p->query_count + i) * sizes->depth + d] =
              get(&p->queries.tensor,
                  p->queries.tensor.rank == 3 ? (int64_t[4]){start + i, h, d} : (int64_t[4]){b, h, i, d});
    for (int64_t h = 0; h < sizes->heads; h++)
      for (int64_t t = 0; t < p->source.lengths[b]; t++) {
        const int64_t row = (b * sizes->heads + h) * r->keys + t;
        for (int64_t d = 0; d < sizes->depth; d++)
          p->k[row * sizes->depth + d] = key_number(&p->source, b, h, t, d);
        for (int64_t d = 0; d < sizes->width; d++)
          p->v[row * sizes->width + d] = value_number(&p->source, b, h, t, d);
      }
  }
}

struct problem *draw_problem(uint64_t seed, int64_t work) {
  struct random random = {seed};
  struct problem *p = array(1, sizeof *p);
  struct source_sizes sizes;
  draw_sizes(&random, p, work, &sizes);
  draw_source(&random, (attention_source)random_below(&random, 4), sizes, &p->source);
  draw_queries(&random, p, sizes.depth);
  snprintf(p->text, sizeof p->text,
           "seed %llu, %s queries [%lld, %lld, %lld, %lld]%s, %s keys %s and values %s, Hkv %lld, Tk %lld, "
           "Dv %lld",
           (unsigned long long)seed, name_of_type(p->queries.tensor.type), (long long)p->batch,
           (long long)p->query_heads, (long long)p->query_count, (long long)sizes.depth,
           p->queries.tensor.rank == 3 ? " packed" : "", name_of_source(p->source.described.source),
           name_of_type(sizes.keys), name_of_type(sizes.values), (long long)sizes.heads,
           (long long)p->source.count, (long long)sizes.width);
  plain_numbers(p);
  draw_options(&random, p);
  return p;
}

void free_problem(struct problem *p) {
  free_source(&p->source);
  free_room(&p->query_room);
  for (int i = 0; i < most_masks; i++)
    free_room(&p->mask_rooms[i]);
  free(p->q);
  free(p->k);
  free(p->v);
  free(p->bias);
  free(p->hidden);
  free(p);
}

struct results make_results(const struct problem *p, enum layout output, enum layout log_sum_exp) {
  const attention_type type = p->queries.tensor.type,
                       sums = type == ATTENTION_FLOAT64 ? ATTENTION_FLOAT64 : ATTENTION_FLOAT32;
  const int64_t width = p->source.sizes.width;
  if (p->queries.tensor.rank == 3)
    return (struct results){
        make_result(type, 3, (int64_t[]){p->total_queries, p->query_heads, width}, output),
        make_result(sums, 2, (int64_t[]){p->query_heads, p->total_queries}, log_sum_exp)};
  return (struct results){
      make_result(type, 4, (int64_t[]){p->batch, p->query_heads, p->query_count, width}, output),
      make_result(sums, 3, (int64_t[]){p->batch, p->query_heads, p->query_count}, log_sum_exp)};
}

void free_results(struct results *results) {
  free_room(&results->output);
  free_room(&results->log_sum_exp);
}

static int64_t packed_row(const struct problem *p, int64_t sequence, int64_t query) {
  for (int64_t b = 0; b < sequence; b++)
    query += p->query_lengths[b];
  return query;
}

double output_number(const struct problem *p, const struct results *results, int64_t sequence, int64_t head,
                     int64_t query, int64_t column) {
  if (results->output.tensor.rank == 3)
    return get(&results->output.tensor, (int64_t[4]){packed_row(p, sequence, query), head, column});
  return get(&results->output.tensor, (int64_t[4]){sequence, head, query, column});
}

double log_sum_exp_number(const struct problem *p, const struct results *results, int64_t sequence,
                          int64_t head, int64_t query) {
  if (results->output.tensor.rank == 3)
    return get(&results->log_sum_exp.tensor, (int64_t[4]){head, packed_row(p, sequence, query)});
  return get(&results->log_sum_exp.tensor, (int64_t[4]){sequence, head, query});
}
