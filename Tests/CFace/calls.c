// attention_run on random calls: every source, type, layout and option, held against the formula.

#include "check.h"
#include "problem.h"
#include "tolerance.h"

#include <stdlib.h>

enum { draws = 900, most_work = 400000 };

// Which draws there were: a combination that none met would go unchecked.
static int met[8][4][8];

static void note(const struct problem *p) {
  met[p->queries.tensor.type][p->source.described.source][p->source.sizes.keys]++;
}

static void expect_all_met(void) {
  begin_case("draws");
  for (attention_source source = ATTENTION_PADDED; source <= ATTENTION_JOINED; source++)
    for (attention_type q = ATTENTION_FLOAT32; q <= ATTENTION_BFLOAT16; q++)
      for (attention_type k = ATTENTION_FLOAT32; k <= ATTENTION_INT8; k++)
        if (k != ATTENTION_FLOAT64 || q == ATTENTION_FLOAT64)
          expect(met[q][source][k] > 0, "no draw of %s queries with %s %s keys", name_of_type(q),
                 name_of_source(source), name_of_type(k));
}

static void compare(const struct problem *p, const struct results *results, const struct expected *expected,
                    int has_log_sum_exp) {
  const struct reference *r = &p->reference;
  const int is_packed = p->queries.tensor.rank == 3;
  int64_t row = 0;
  for (int64_t b = 0; b < r->batch; b++)
    for (int64_t h = 0; h < r->query_heads; h++)
      for (int64_t i = 0; i < r->queries; i++, row++) {
        if (is_packed && i >= p->query_lengths[b])
          continue;
        for (int64_t d = 0; d < r->width; d++)
          if (!expect_near(output_number(p, results, b, h, i, d), expected->output[row * r->width + d],
                           expected->output_bound, "output", row * r->width + d))
            break;
        if (has_log_sum_exp)
          expect_near(log_sum_exp_number(p, results, b, h, i), expected->log_sum_exp[row],
                      expected->log_sum_exp_bound, "log_sum_exp", row);
      }
}

static uint64_t bits_of(const struct results *results) {
  return hash_elements(hash_elements(HASH_START, &results->output.tensor), &results->log_sum_exp.tensor);
}

void check_calls(void) {
  begin_subject("attention_run");
  static const int64_t counts[] = {1, 2, 7};
  attention_threads *pools[4] = {NULL};
  for (int i = 0; i < 3; i++)
    if (!expect_ok(CALL(attention_threads_create)(counts[i], &pools[i + 1])))
      return;
  struct random random = {7};
  for (uint64_t seed = 1; seed <= draws; seed++) {
    struct problem *p = draw_problem(seed, most_work);
    note(p);
    struct expected expected = expected_of(p);
    uint64_t bits = 0;
    for (int pool = 0; pool < 4; pool++) {
      // Other layouts, the same bits.
      struct results results = make_results(p, (enum layout)random_below(&random, layouts_of_results),
                                            (enum layout)random_below(&random, layouts_of_results));
      begin_case("%s, pool %d", p->text, pool);
      p->options.threads = pools[pool];
      if (expect_ok(CALL(attention_run)(&p->queries, &p->source.described, &p->options,
                                        &results.output.tensor, &results.log_sum_exp.tensor))) {
        if (pool == 0) {
          compare(p, &results, &expected, 1);
          bits = bits_of(&results);
        }
        expect(bits_of(&results) == bits, "other bits than on the pool of the process");
        expect(!wrote_beside(&results.output), "wrote beside the output's elements");
        expect(!wrote_beside(&results.log_sum_exp), "wrote beside the log-sum-exp's elements");
      }
      free_results(&results);
    }
    struct results alone = make_results(p, dense, dense);
    begin_case("%s, without log_sum_exp", p->text);
    if (expect_ok(
            CALL(attention_run)(&p->queries, &p->source.described, &p->options, &alone.output.tensor, NULL)))
      compare(p, &alone, &expected, 0);
    free_results(&alone);
    free_expected(&expected);
    free_problem(p);
  }
  for (int i = 0; i < 4; i++)
    CALL(attention_threads_destroy)(pools[i]);
  expect_all_met();
}
