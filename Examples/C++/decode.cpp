// Decodes over keys and values in this program's own memory: each token's are written into the next rows, and its query sees all so far.
#include <attention.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <vector>

constexpr int heads = 4, keyHeads = 2, depth = 64, room = 32, tokens = 24;

// Stands for a model's projections.
static float number(int what, int head, int token, int column) {
  return std::sin(static_cast<float>(what * 7 + head * 5 + token * 3) + 0.1f * static_cast<float>(column));
}

// [1, H, T, D], row-major.
static attention_tensor tensor(std::vector<float> &numbers, int64_t h, int64_t t) {
  std::array<int64_t, 4> shape{1, h, t, depth};
  return attention_dense(numbers.data(), ATTENTION_FLOAT32, 4, shape.data());
}

static void check(attention_status status) {
  if (status != ATTENTION_OK) throw std::runtime_error(attention_last_error());
}

int main() try {
  std::vector<float> keys(keyHeads * room * depth), values(keys.size()), queries(heads * depth), output(queries.size());
  int64_t length = 0;  // Of the room for keys, how many rows are in use.
  attention_queries q{};
  q.tensor = tensor(queries, heads, 1);
  attention_key_values kv{};
  kv.keys = tensor(keys, keyHeads, room);
  kv.values = tensor(values, keyHeads, room);
  kv.lengths = &length;
  kv.length_count = 1;
  attention_options options{};
  options.causal = 1;
  attention_tensor y = tensor(output, heads, 1);

  for (int token = 0; token < tokens; token++) {
    for (int column = 0; column < depth; column++) {
      for (int head = 0; head < heads; head++) queries[head * depth + column] = number(0, head, token, column);
      for (int head = 0; head < keyHeads; head++) {
        keys[(head * room + token) * depth + column] = number(1, head, token, column);
        values[(head * room + token) * depth + column] = number(2, head, token, column);
      }
    }
    length = token + 1;
    check(attention_run(&q, &kv, &options, &y, nullptr));
    if (token % 8 == 7)
      std::printf("token %2d: %8.5f %8.5f %8.5f\n", token, output[0], output[depth + 1], output[3 * depth + 63]);
  }
} catch (const std::exception &error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
