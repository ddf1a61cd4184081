// x86-64 with AVX-512 F, BW, DQ, VL and BF16: the same kernels, but for products of bf16 pairs.

#if defined(__x86_64__)

#include "sets.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

// Every function from here on may use the set; nothing runs unless dispatch.c has seen that the CPU has it.
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c"))), apply_to = function)

#include "half.h"
#include "half_hardware.h"
#define CATTENTIONKERNELS_AVX512_BF16
#include "simd_avx512.h"

#define ISA avx512bf16
#define ISA_NAME "avx512bf16"
#define ISA_DOTS_BF16 1
#define FUSED_TILE_ROWS 8
#include "set.inc"

#pragma clang attribute pop

#endif
