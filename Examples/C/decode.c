// Decodes over keys and values in this program's own memory: each token's are written into the next rows, and its query sees all so far.
#include <attention.h>
#include <math.h>
#include <stdio.h>

enum { HEADS = 4, KEY_HEADS = 2, DEPTH = 64, ROOM = 32, TOKENS = 24 };

static float keys[KEY_HEADS][ROOM][DEPTH], values[KEY_HEADS][ROOM][DEPTH];
static float queries[HEADS][DEPTH], output[HEADS][DEPTH];

// Stands for a model's projections.
static float number(int what, int head, int token, int column) {
  return sinf((float)(what * 7 + head * 5 + token * 3) + 0.1f * (float)column);
}

int main(void) {
  // [B, H, T, D], row-major. Of the room for keys, a length says how many rows are in use.
  int64_t query_shape[] = {1, HEADS, 1, DEPTH}, key_shape[] = {1, KEY_HEADS, ROOM, DEPTH}, length = 0;
  attention_queries q = {.tensor = attention_dense(queries, ATTENTION_FLOAT32, 4, query_shape)};
  attention_key_values kv = {.source = ATTENTION_PADDED,
                             .keys = attention_dense(keys, ATTENTION_FLOAT32, 4, key_shape),
                             .values = attention_dense(values, ATTENTION_FLOAT32, 4, key_shape),
                             .lengths = &length,
                             .length_count = 1};
  attention_options options = {.causal = 1};
  attention_tensor y = attention_dense(output, ATTENTION_FLOAT32, 4, query_shape);

  for (int token = 0; token < TOKENS; token++) {
    for (int column = 0; column < DEPTH; column++) {
      for (int head = 0; head < HEADS; head++) queries[head][column] = number(0, head, token, column);
      for (int head = 0; head < KEY_HEADS; head++) {
        keys[head][token][column] = number(1, head, token, column);
        values[head][token][column] = number(2, head, token, column);
      }
    }
    length = token + 1;
    if (attention_run(&q, &kv, &options, &y, NULL) != ATTENTION_OK) {
      fprintf(stderr, "%s\n", attention_last_error());
      return 1;
    }
    if (token % 8 == 7) printf("token %2d: %8.5f %8.5f %8.5f\n", token, output[0][0], output[1][1], output[3][63]);
  }
  return 0;
}
