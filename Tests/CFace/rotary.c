// Rotary embedding, bit for bit: every step is rounded by its definition.

#include "check.h"
#include "models.h"
#include "rooms.h"

#include <stdlib.h>

static void check_one(struct random *random) {
  const attention_type type = (attention_type)random_from(random, ATTENTION_FLOAT32, ATTENTION_BFLOAT16);
  const int64_t depth = random_from(random, 2, 70), rows = random_from(random, 1, 300);
  struct turning turning = {.depth = depth,
                            .rotated =
                                depth % 2 || one_in(random, 2) ? 2 * random_from(random, 1, depth / 2) : 0,
                            .base = one_in(random, 2) ? 10000 : 500000,
                            .interleaved = (int)random_below(random, 2)};
  begin_case("%s, depth %lld, rotated %lld, interleaved %d", name_of_type(type), (long long)depth,
             (long long)turning.rotated, turning.interleaved);
  attention_rotary *rotary = NULL;
  if (!expect_ok(CALL(attention_rotary_create)(depth, turning.rotated, rows, turning.base,
                                               turning.interleaved, &rotary)))
    return;
  int64_t shape[4] = {random_from(random, 0, 2), random_from(random, 1, 3), random_from(random, 0, 9), depth},
          positions[9];
  for (int64_t t = 0; t < shape[2]; t++)
    positions[t] = one_in(random, 3) ? random_below(random, rows) : t % rows;
  // Turned in place: a result that has numbers before.
  struct room room = make_result(type, 4, shape, (enum layout)random_below(random, layouts_of_results));
  FOR_EACH_ELEMENT (&room.tensor, index)
    put(&room.tensor, index, random_unit(random));
  double *expected = calloc((size_t)(shape[0] * shape[1] * shape[2] * depth + 1), sizeof *expected);
  if (!expected)
    exit(2);
  int64_t place = 0;
  FOR_EACH_ELEMENT (&room.tensor, index)
    expected[place++] = get(&room.tensor, index);
  for (int64_t row = 0; row < shape[0] * shape[1] * shape[2]; row++)
    turn_row(&turning, type, expected + row * depth, positions[row % shape[2]]);
  place = 0;
  if (expect_ok(CALL(attention_rotary_apply)(rotary, &room.tensor, positions, shape[2])))
    FOR_EACH_ELEMENT (&room.tensor, index) {
      if (!expect_near(get(&room.tensor, index), expected[place], 0, "tensor", (long long)place))
        break;
      place++;
    }
  expect(!wrote_beside(&room), "wrote beside the tensor's elements");
  free(expected);
  free_room(&room);
  CALL(attention_rotary_destroy)(rotary);
}

void check_rotary(void) {
  begin_subject("attention_rotary_apply");
  struct random random = {5};
  for (int i = 0; i < 300; i++)
    check_one(&random);
}
