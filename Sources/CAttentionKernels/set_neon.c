// AArch64 with Advanced SIMD, which every CPU of that kind has: no target attribute, and nothing to ask the
// CPU.

#if defined(__aarch64__)

#include "sets.h"

#include <math.h>
#include <string.h>

#include "half.h"
#include "half_hardware.h"
#include "simd_neon.h"

#define ISA neon
#define ISA_NAME "neon"
#define ISA_DOTS_BF16 0
#define FUSED_TILE_ROWS 8
#include "set.inc"

#endif
