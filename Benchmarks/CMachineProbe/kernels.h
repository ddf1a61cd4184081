// The three inner loops, once for each instruction set. Vector extensions rather than intrinsics: `a * x + b` in one
// expression is contracted to an FMA wherever the target has one.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct Kernels {
  const char *name;
  // Runs `iterations` rounds of independent multiply-adds; returns the number of Float32 operations done.
  double (*multiplyAdd)(long iterations, float *sink);
  // Reads `bytes` (a multiple of 1024) once.
  uint64_t (*read)(const void *memory, size_t bytes);
  // Reads `bytes` (a multiple of 1024) once and writes each back, changed: words, because random bits taken for numbers
  // would be slow ones. Twice is what was there before.
  void (*readWrite)(void *memory, size_t bytes);
};

// 16 chains: an FMA has a latency of 4 or 5 cycles and two start a cycle, so 10 would do; AVX2 has 16 registers, and
// multiplier and addend need two of them.
#define DEFINE_KERNELS(SET, ATTRIBUTES, WIDTH, CHAINS)                                                           \
  typedef float SET##_floats __attribute__((vector_size(WIDTH)));                                                \
  typedef uint64_t SET##_words __attribute__((vector_size(WIDTH)));                                              \
                                                                                                                 \
  ATTRIBUTES static double SET##_multiplyAdd(long iterations, float *sink) {                                     \
    SET##_floats sums[CHAINS], factor = {0}, addend = {0};                                                       \
    factor += 0.999f;                                                                                            \
    addend += 0.001f;                                                                                            \
    for (int chain = 0; chain < CHAINS; chain++)                                                                 \
      sums[chain] = addend * (float)(chain + 1);                                                                 \
    for (long iteration = 0; iteration < iterations; iteration++) {                                              \
      _Pragma("clang loop unroll(full)") for (int chain = 0; chain < CHAINS; chain++) sums[chain] =              \
          sums[chain] * factor + addend;                                                                         \
    }                                                                                                            \
    for (int chain = 1; chain < CHAINS; chain++)                                                                 \
      sums[0] += sums[chain];                                                                                    \
    *sink += sums[0][0];                                                                                         \
    return 2.0 * CHAINS * (WIDTH / sizeof(float)) * (double)iterations;                                          \
  }                                                                                                              \
                                                                                                                 \
  ATTRIBUTES static uint64_t SET##_read(const void *memory, size_t bytes) {                                      \
    const SET##_words *next = memory, *end = next + bytes / WIDTH;                                               \
    SET##_words sums[8] = {{0}};                                                                                 \
    for (; next < end; next += 8) {                                                                              \
      _Pragma("clang loop unroll(full)") for (int chain = 0; chain < 8; chain++) sums[chain] += next[chain];     \
    }                                                                                                            \
    for (int chain = 1; chain < 8; chain++)                                                                      \
      sums[0] += sums[chain];                                                                                    \
    return sums[0][0];                                                                                           \
  }                                                                                                              \
                                                                                                                 \
  ATTRIBUTES static void SET##_readWrite(void *memory, size_t bytes) {                                           \
    SET##_words *next = memory, *end = next + bytes / WIDTH, mask = {0};                                         \
    mask += 0x5555555555555555;                                                                                  \
    for (; next < end; next += 8) {                                                                              \
      _Pragma("clang loop unroll(full)") for (int chain = 0; chain < 8; chain++) next[chain] ^= mask;            \
    }                                                                                                            \
  }
