// Merge, quantise, describe, threads and dense tensors.

#include "check.h"
#include "models.h"
#include "problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most_parts = 3, most_rows = 60, most_width = 40 };

static double merged_input[most_parts][most_rows * most_width], merged_sums[most_parts][most_rows];

// Parts of random numbers; some saw nothing, and hold NaN.
static void draw_part(struct random *random, struct room *output, struct room *sums, double *y, double *lse) {
  int64_t row = 0;
  FOR_EACH_ELEMENT (&sums->tensor, index) {
    const int is_empty = one_in(random, 4);
    put(&sums->tensor, index, is_empty ? -INFINITY : 3 * random_unit(random));
    lse[row] = get(&sums->tensor, index);
    const int64_t width = output->tensor.shape[output->tensor.rank - 1];
    for (int64_t d = 0; d < width; d++) {
      int64_t place[4] = {index[0], index[1], index[2], 0};
      place[output->tensor.rank - 1] = d;
      put(&output->tensor, place, is_empty ? NAN : random_unit(random));
      y[row * width + d] = get(&output->tensor, place);
    }
    row++;
  }
}

static void check_one_merge(struct random *random) {
  static const double errors[] = {0, 0x1p-22, 0x1p-50, 0x1p-11, 0x1p-8};
  const attention_type type = (attention_type)random_from(random, ATTENTION_FLOAT32, ATTENTION_BFLOAT16);
  const attention_type sum_type = type == ATTENTION_FLOAT64 ? ATTENTION_FLOAT64 : ATTENTION_FLOAT32;
  const int rank = (int)random_from(random, 2, 4);
  const int64_t count = random_from(random, 1, most_parts);
  int64_t shape[4] = {random_from(random, 1, 3), random_from(random, 1, 4), random_from(random, 1, 5), 0};
  const int64_t width = shape[rank - 1] = random_from(random, 1, most_width);
  struct room outputs[most_parts], sums[most_parts];
  attention_tensor described[most_parts], described_sums[most_parts];
  const double *y[most_parts], *lse[most_parts];
  int64_t rows = 1;
  for (int axis = 0; axis < rank - 1; axis++)
    rows *= shape[axis];
  begin_case("%lld parts of rank %d, %lld rows of %lld %s", (long long)count, rank, (long long)rows,
             (long long)width, name_of_type(type));
  for (int64_t i = 0; i < count; i++) {
    outputs[i] = make_input(type, rank, shape, (enum layout)random_below(random, layouts_of_results));
    sums[i] = make_input(sum_type, rank - 1, shape, (enum layout)random_below(random, layouts_of_results));
    draw_part(random, &outputs[i], &sums[i], merged_input[i], merged_sums[i]);
    described[i] = outputs[i].tensor;
    described_sums[i] = sums[i].tensor;
    y[i] = merged_input[i];
    lse[i] = merged_sums[i];
  }
  double expected[most_rows * most_width], expected_sums[most_rows];
  reference_merge(count, rows, width, y, lse, expected, expected_sums);
  struct room output = make_result(type, rank, shape, (enum layout)random_below(random, layouts_of_results));
  struct room sum =
      make_result(sum_type, rank - 1, shape, (enum layout)random_below(random, layouts_of_results));
  if (expect_ok(CALL(attention_merge)(described, described_sums, count, &output.tensor, &sum.tensor))) {
    int64_t place = 0, row = 0;
    // Numbers of at most 4, rounded to the type; weights and sums to the accumulator.
    FOR_EACH_ELEMENT (&output.tensor, index) {
      expect_near(get(&output.tensor, index), expected[place], 4 * errors[type], "output", (long long)place);
      place++;
    }
    FOR_EACH_ELEMENT (&sum.tensor, index) {
      expect_near(get(&sum.tensor, index), expected_sums[row], 16 * errors[sum_type], "log_sum_exp",
                  (long long)row);
      row++;
    }
    expect(!wrote_beside(&output) && !wrote_beside(&sum), "wrote beside the results' elements");
  }
  for (int64_t i = 0; i < count; i++) {
    free_room(&outputs[i]);
    free_room(&sums[i]);
  }
  free_room(&output);
  free_room(&sum);
}

void check_merge(void) {
  begin_subject("attention_merge");
  struct random random = {3};
  for (int i = 0; i < 300; i++)
    check_one_merge(&random);
}

void check_quantize(void) {
  begin_subject("attention_quantize");
  struct random random = {4};
  for (int i = 0; i < 300; i++) {
    const attention_type type = (attention_type)random_from(&random, ATTENTION_FLOAT32, ATTENTION_BFLOAT16);
    const int rank = (int)random_from(&random, 2, 4);
    int64_t shape[4] = {random_from(&random, 1, 3), random_from(&random, 1, 4), random_from(&random, 1, 5),
                        0};
    const int64_t columns = shape[rank - 1] = random_from(&random, 1, 70);
    struct room numbers =
        make_input(type, rank, shape, (enum layout)random_below(&random, layouts_of_results));
    struct room integers =
        make_result(ATTENTION_INT8, rank, shape, (enum layout)random_below(&random, layouts_of_results));
    struct room scales = make_result(ATTENTION_FLOAT32, rank - 1, shape,
                                     (enum layout)random_below(&random, layouts_of_results));
    FOR_EACH_ELEMENT (&numbers.tensor, index)
      put(&numbers.tensor, index, index[0] == 2 ? 0 : random_unit(&random));
    begin_case("rank %d, %lld columns, %s", rank, (long long)columns, name_of_type(type));
    if (expect_ok(CALL(attention_quantize)(&numbers.tensor, &integers.tensor, &scales.tensor)))
      FOR_EACH_ELEMENT (&scales.tensor, at) {
        int64_t index[4] = {at[0], at[1], at[2], 0};
        double row[70];
        int8_t expected[70];
        for (int64_t c = 0; c < columns; c++) {
          index[rank - 1] = c;
          row[c] = get(&numbers.tensor, index);
        }
        const float scale = quantized_row(row, columns, expected);
        expect((float)get(&scales.tensor, at) == scale, "scale %.9g, expected %.9g", get(&scales.tensor, at),
               scale);
        for (int64_t c = 0; c < columns; c++) {
          index[rank - 1] = c;
          expect(get(&integers.tensor, index) == expected[c], "integer %g of %.9g, expected %d",
                 get(&integers.tensor, index), row[c], expected[c]);
        }
      }
    expect(!wrote_beside(&integers) && !wrote_beside(&scales), "wrote beside the results' elements");
    free_room(&numbers);
    free_room(&integers);
    free_room(&scales);
  }
}

// The whole text at every capacity: cut, and always with a final 0.
void check_describe(void) {
  begin_subject("attention_describe");
  for (uint64_t seed = 1; seed <= 12; seed++) {
    struct problem *p = draw_problem(seed, 100000);
    size_t length = 0;
    begin_case("%s", p->text);
    if (!expect_ok(
            CALL(attention_describe)(&p->queries, &p->source.described, &p->options, NULL, 0, &length)))
      continue;
    char *whole = calloc(length + 2, 1), *text = malloc(length + 64);
    if (!whole || !text)
      exit(2);
    expect_ok(
        CALL(attention_describe)(&p->queries, &p->source.described, &p->options, whole, length + 2, NULL));
    expect(strlen(whole) == length && length > 0, "%zu bytes of text, expected %zu", strlen(whole), length);
    for (size_t capacity = 0; capacity < length + 60;
         capacity += capacity < 4 || capacity + 3 > length ? 1 : 37) {
      size_t again = 0;
      memset(text, '#', length + 64);
      expect_ok(
          CALL(attention_describe)(&p->queries, &p->source.described, &p->options, text, capacity, &again));
      const size_t written = capacity == 0 ? 0 : capacity - 1 < length ? capacity - 1 : length;
      expect(again == length, "length %zu, expected %zu", again, length);
      expect(memcmp(text, whole, written) == 0 && (capacity == 0 || text[written] == 0),
             "capacity %zu: another text", capacity);
      for (size_t i = written + (capacity > 0); i < length + 64; i++)
        if (!expect(text[i] == '#', "capacity %zu: wrote byte %zu", capacity, i))
          break;
    }
    free(whole);
    free(text);
    free_problem(p);
  }
}

void check_threads(void) {
  begin_subject("attention_threads_create");
  expect(CALL(attention_thread_count)(NULL) >= 1, "the pool of the process has no thread");
  expect(strcmp(CALL(attention_version)(), ATTENTION_VERSION) == 0, "version %s, expected %s",
         CALL(attention_version)(), ATTENTION_VERSION);
  for (int64_t count = 1; count <= 1024; count *= 4) {
    attention_threads *pool = NULL;
    begin_case("%lld threads", (long long)count);
    if (!expect_ok(CALL(attention_threads_create)(count, &pool)))
      continue;
    expect(CALL(attention_thread_count)(pool) == count, "%lld threads",
           (long long)CALL(attention_thread_count)(pool));
    CALL(attention_threads_destroy)(pool);
  }
  CALL(attention_threads_destroy)(NULL);
}
