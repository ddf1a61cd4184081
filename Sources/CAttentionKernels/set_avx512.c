// x86-64 with AVX-512 F, BW, DQ and VL.

#if defined(__x86_64__)

#include "sets.h"

#include <immintrin.h>
#include <float.h>
#include <math.h>
#include <string.h>

// Every function from here on may use the set; dispatch.c calls them only on CPUs that have it.
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), apply_to = function)

#include "half.h"
#include "half_hardware.h"
#include "simd_avx512.h"

#define ISA avx512
#define FUSED_TILE_ROWS 8
#include "set.inc"

#pragma clang attribute pop

#endif
