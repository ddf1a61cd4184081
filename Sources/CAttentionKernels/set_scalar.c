// Any CPU: the oracle of all other sets.

#include "sets.h"

#include <math.h>
#include <string.h>

#include "half.h"
#include "simd_scalar.h"

#define attn_f32_from_f16 attn_f32_from_f16_bits
#define attn_f16_from_f32 attn_f16_from_f32_bits
#define ISA scalar
#define ISA_NAME "scalar"
#define ISA_DOTS_BF16 0
#define FUSED_TILE_ROWS 4
#include "set.inc"
