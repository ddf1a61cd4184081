// Which set runs: decided once, from what the CPU and the operating system support.

#include "sets.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most_sets = 4 };

// The sets that run here, lowest first. __builtin_cpu_supports also checks that the system saves the wide registers.
static int supported(const struct CAttentionKernels *sets[most_sets]) {
  int count = 0;
  sets[count++] = &CAttentionKernels_set_scalar;
#if defined(__x86_64__)
  int has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  if (has_avx2)
    sets[count++] = &CAttentionKernels_set_avx2;
  int has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx512)
    sets[count++] = &CAttentionKernels_set_avx512;
  if (has_avx512 && __builtin_cpu_supports("avx512bf16"))
    sets[count++] = &CAttentionKernels_set_avx512bf16;
#elif defined(__aarch64__)
  // Every such CPU has it.
  sets[count++] = &CAttentionKernels_set_neon;
#endif
  return count;
}

const char *CAttentionKernels_name(int index) {
  const struct CAttentionKernels *sets[most_sets];
  int count = supported(sets);
  return index >= 0 && index < count ? sets[index]->name : NULL;
}

const struct CAttentionKernels *CAttentionKernels_named(const char *name) {
  const struct CAttentionKernels *sets[most_sets];
  int count = supported(sets);
  for (int i = 0; i < count; i++)
    if (strcmp(sets[i]->name, name) == 0)
      return sets[i];
  return NULL;
}

static const struct CAttentionKernels *choose(void) {
  const char *forced = getenv("ATTENTION_KERNELS");
  if (forced && *forced) {
    const struct CAttentionKernels *set = CAttentionKernels_named(forced);
    if (set)
      return set;
    fprintf(stderr, "ATTENTION_KERNELS=%s: no such instruction set here; ignored\n", forced);
  }
  const struct CAttentionKernels *sets[most_sets];
  return sets[supported(sets) - 1];
}

const struct CAttentionKernels *CAttentionKernels_active(void) {
  // Threads that race here choose the same table; only the message above could appear twice.
  static _Atomic(const struct CAttentionKernels *) active;
  const struct CAttentionKernels *set = atomic_load_explicit(&active, memory_order_acquire);
  if (!set) {
    set = choose();
    atomic_store_explicit(&active, set, memory_order_release);
  }
  return set;
}
