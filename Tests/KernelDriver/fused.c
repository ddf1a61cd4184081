#include "check.h"
void check_fused(kernel_set *set) { (void)BEGIN_ENTRY(set, attend_block_f32); (void)BEGIN_ENTRY(set, attend_block_bf16); }
