// Any CPU: the table that all others start from, and the plain form of every kernel.

#include "sets.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "half.h"
#include "simd_scalar.h"

#define attn_f32_from_f16 attn_f32_from_f16_bits
#define attn_f16_from_f32 attn_f16_from_f32_bits
#define ISA scalar
#define FUSED_TILE_ROWS 4
#include "set.inc"
