// The inner loops, once for each instruction set. Vector extensions rather than intrinsics: `a * x + b` in one
// expression is contracted to an FMA wherever the target has one.
#pragma once

#include "CMachineProbe.h"

#include <stddef.h>
#include <stdint.h>

// Runs `iterations` rounds of independent multiply-adds; returns the number of operations done.
typedef double MultiplyAdd(long iterations, float *sink);

struct Kernels {
  const char *name;
  // By `CMachineProbe_Arithmetic`; NULL where the CPU has none of that kind.
  MultiplyAdd *multiplyAdd[CMachineProbe_arithmeticCount];
  // Reads `bytes` (a multiple of 1024) once. The second fetches ahead into the second-level cache, which is faster from memory
  // (on Zen 4 by 5 to 15 %) and slower from caches (by up to a quarter: there prefetches only take slots of loads).
  uint64_t (*read)(const void *memory, size_t bytes);
  uint64_t (*readAhead)(const void *memory, size_t bytes);
  // Reads `bytes` (a multiple of 1024) once and writes each back, changed: words, because random bits taken for numbers
  // would be slow ones. Twice is what was there before.
  void (*readWrite)(void *memory, size_t bytes);
};

// Tried on Zen 4 from memory: 1 to 16 KiB ahead and every cache level as the goal; this was the fastest, on small pages and on huge ones.
enum { bytesAhead = 4096, secondLevelCache = 2 };

// 16 chains: an FMA has a latency of 4 or 5 cycles and two start a cycle, so 10 would do; AVX2 has 16 registers, and
// multiplier and addend need two of them.
#define DEFINE_MULTIPLY_ADD(NAME, ATTRIBUTES, SCALAR, WIDTH, CHAINS)                                             \
  ATTRIBUTES static double NAME(long iterations, float *sink) {                                                  \
    typedef SCALAR Vector __attribute__((vector_size(WIDTH)));                                                   \
    Vector sums[CHAINS], factor = {0}, addend = {0};                                                             \
    factor += (SCALAR)0.999;                                                                                     \
    addend += (SCALAR)0.001;                                                                                     \
    for (int chain = 0; chain < CHAINS; chain++)                                                                 \
      sums[chain] = addend * (SCALAR)(chain + 1);                                                                \
    for (long iteration = 0; iteration < iterations; iteration++) {                                              \
      _Pragma("clang loop unroll(full)") for (int chain = 0; chain < CHAINS; chain++) sums[chain] =              \
          sums[chain] * factor + addend;                                                                         \
    }                                                                                                            \
    for (int chain = 1; chain < CHAINS; chain++)                                                                 \
      sums[0] += sums[chain];                                                                                    \
    *sink += (float)sums[0][0];                                                                                  \
    return 2.0 * CHAINS * (WIDTH / sizeof(SCALAR)) * (double)iterations;                                         \
  }

#define DEFINE_READ(NAME, ATTRIBUTES, WIDTH, FETCH)                                                              \
  ATTRIBUTES static uint64_t NAME(const void *memory, size_t bytes) {                                            \
    typedef uint64_t Words __attribute__((vector_size(WIDTH)));                                                  \
    const Words *next = memory, *end = next + bytes / WIDTH;                                                     \
    Words sums[8] = {{0}};                                                                                       \
    for (; next < end; next += 8) {                                                                              \
      _Pragma("clang loop unroll(full)") for (int chain = 0; chain < 8; chain++) {                               \
        FETCH((const char *)(next + chain));                                                                     \
        sums[chain] += next[chain];                                                                              \
      }                                                                                                          \
    }                                                                                                            \
    for (int chain = 1; chain < 8; chain++)                                                                      \
      sums[0] += sums[chain];                                                                                    \
    return sums[0][0];                                                                                           \
  }

#define FETCH_NOTHING(ADDRESS)
#define FETCH_AHEAD(ADDRESS) __builtin_prefetch((ADDRESS) + bytesAhead, 0, secondLevelCache)

#define DEFINE_READ_WRITE(NAME, ATTRIBUTES, WIDTH)                                                               \
  ATTRIBUTES static void NAME(void *memory, size_t bytes) {                                                      \
    typedef uint64_t Words __attribute__((vector_size(WIDTH)));                                                  \
    Words *next = memory, *end = next + bytes / WIDTH, mask = {0};                                               \
    mask += 0x5555555555555555;                                                                                  \
    for (; next < end; next += 8) {                                                                              \
      _Pragma("clang loop unroll(full)") for (int chain = 0; chain < 8; chain++) next[chain] ^= mask;            \
    }                                                                                                            \
  }

#define DEFINE_KERNELS(SET, ATTRIBUTES, WIDTH, CHAINS)                                                           \
  DEFINE_MULTIPLY_ADD(SET##_float32, ATTRIBUTES, float, WIDTH, CHAINS)                                           \
  DEFINE_MULTIPLY_ADD(SET##_float64, ATTRIBUTES, double, WIDTH, CHAINS)                                          \
  DEFINE_READ(SET##_read, ATTRIBUTES, WIDTH, FETCH_NOTHING)                                                      \
  DEFINE_READ(SET##_readAhead, ATTRIBUTES, WIDTH, FETCH_AHEAD)                                                   \
  DEFINE_READ_WRITE(SET##_readWrite, ATTRIBUTES, WIDTH)

#define KERNELS(SET, NAME)                                                                                       \
  (struct Kernels) { NAME, {SET##_float32, SET##_float64, NULL}, SET##_read, SET##_readAhead, SET##_readWrite }
