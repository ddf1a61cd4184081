// Which sets there are, which of them this CPU supports, and their tables.

#include "sets.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

// The sets of this architecture, each after the one that it builds on.
enum {
  scalar,
#if defined(__x86_64__)
  avx2,
  avx512,
  avx512vnni,
  avx512bf16,
#elif defined(__aarch64__)
  neon,
#endif
  set_count
};

static int has_scalar(void) { return 1; }
#if defined(__x86_64__)
// __builtin_cpu_supports also checks that the operating system saves the wide registers.
static int has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
static int has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
static int has_avx512vnni(void) { return __builtin_cpu_supports("avx512vnni") != 0; }
// Every CPU with it has VNNI, too.
static int has_avx512bf16(void) { return __builtin_cpu_supports("avx512bf16") != 0; }

// CPUs with AMX are made to multiply bf16 in tiles. Their dot products of vectors are slow: on an Intel Xeon (family 6, model 207) they did
// half as many operations a second as float FMAs. The set below, which converts and multiplies floats, was 1.3 to 1.5 times as fast there.
static int avx512bf16_is_fast(void) {
  unsigned a, b, c, d;
  const unsigned amx_bf16 = 1u << 22;
  return !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & amx_bf16);
}
#elif defined(__aarch64__)
// Advanced SIMD belongs to the architecture.
static int has_neon(void) { return 1; }
#endif

// A set is its name, what it needs of the CPU beyond the set below it, that set, and what it does better. Scalar is below itself: its
// table starts empty.
static const struct {
  const char *name;
  int (*is_supported)(void);
  int below;
  void (*override)(struct CAttentionKernels *table);
} sets[set_count] = {
    [scalar] = {"scalar", has_scalar, scalar, CAttentionKernels_override_scalar},
#if defined(__x86_64__)
    [avx2] = {"avx2", has_avx2, scalar, CAttentionKernels_override_avx2},
    [avx512] = {"avx512", has_avx512, avx2, CAttentionKernels_override_avx512},
    [avx512vnni] = {"avx512vnni", has_avx512vnni, avx512, CAttentionKernels_override_avx512vnni},
    [avx512bf16] = {"avx512bf16", has_avx512bf16, avx512vnni, CAttentionKernels_override_avx512bf16},
#elif defined(__aarch64__)
    [neon] = {"neon", has_neon, scalar, CAttentionKernels_override_neon},
#endif
};

// The tables of the supported sets, lowest first, and how many there are.
static struct CAttentionKernels tables[set_count];
static int table_count;

static void fill_tables(void) {
  // Where the table of each set is; NULL where the CPU does not support it.
  const struct CAttentionKernels *table_of[set_count] = {&tables[0]};
  for (int set = 0; set < set_count; set++) {
    const struct CAttentionKernels *below = table_of[sets[set].below];
    if (!below || !sets[set].is_supported())
      continue;
    struct CAttentionKernels *table = &tables[table_count++];
    *table = *below;
    table->name = sets[set].name;
    sets[set].override(table);
    table_of[set] = table;
  }
}

// pthread_once orders the writes to the tables before every later read of them, on any thread.
static int filled_table_count(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, fill_tables);
  return table_count;
}

const char *CAttentionKernels_name(int index) {
  return index >= 0 && index < filled_table_count() ? tables[index].name : NULL;
}

const struct CAttentionKernels *CAttentionKernels_named(const char *name) {
  int count = filled_table_count();
  for (int i = 0; i < count; i++)
    if (strcmp(tables[i].name, name) == 0)
      return &tables[i];
  return NULL;
}

static const struct CAttentionKernels *active;

static void choose_active(void) {
  const char *forced = getenv("ATTENTION_KERNELS");
  int count = filled_table_count();
#if defined(__x86_64__)
  if (strcmp(tables[count - 1].name, "avx512bf16") == 0 && !avx512bf16_is_fast())
    count--;
#endif
  active = &tables[count - 1];
  if (!forced || !*forced)
    return;
  const struct CAttentionKernels *set = CAttentionKernels_named(forced);
  if (set)
    active = set;
  else
    fprintf(stderr, "ATTENTION_KERNELS=%s: no such instruction set here; ignored\n", forced);
}

const struct CAttentionKernels *CAttentionKernels_active(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, choose_active);
  return active;
}
