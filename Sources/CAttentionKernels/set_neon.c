// AArch64 with Advanced SIMD, which belongs to the architecture: no target attribute, and no check of the CPU.

#if defined(__aarch64__)

#include "sets.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "half.h"
#include "half_hardware.h"
#include "simd_neon.h"

#define ISA neon
#define FUSED_TILE_ROWS 8
#include "set.inc"

#endif
