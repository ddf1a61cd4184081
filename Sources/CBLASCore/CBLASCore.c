#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "CBLASCore.h"

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// OpenBLAS's entry points, found at run time; a build for one fixed CPU lacks most of them.
struct openblas {
  char *(*core_name)(void);
  int (*thread_count)(void);
  int (*parallel)(void);
  void (*dynamic_init)(void);
  void (*dynamic_quit)(void);
};

static char picked[32];
static char now[32];
static struct CBLASCore_decision decision = {picked, now, "OpenBLAS's own choice was not looked at"};

static bool is_on(const char *variable) {
  const char *value = getenv(variable);
  return value && *value && strcmp(value, "0") != 0;
}

static void copy_name(char target[32], const char *name) { snprintf(target, 32, "%s", name ? name : ""); }

// memcpy: ISO C has no cast from an object pointer to a function pointer.
static bool find(void *function, const char *symbol) {
  void *address = dlsym(RTLD_DEFAULT, symbol);
  memcpy(function, &address, sizeof address);
  return address != NULL;
}

static bool is_older_than_avx512(const char *core) {
  static const char *const names[] = {
      "Haswell",  "Zen",    "Sandybridge", "Excavator", "Steamroller", "Piledriver",   "Bulldozer",
      "Prescott", "Core2",  "Penryn",      "Nehalem",   "Dunnington",  "Opteron",      "Opteron(SSE3)",
      "Atom",     "Bobcat", "Nano",        "Barcelona",
  };
  for (size_t index = 0; index < sizeof names / sizeof *names; ++index) {
    if (strcmp(core, names[index]) == 0) return true;
  }
  return false;
}

static bool has_avx512(void) {
  // Before main, and perhaps before the compiler's own runtime, the feature table need not be filled yet. These tests
  // include the operating system's part: whether it saves the wide registers.
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

static bool is_zen4(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(0, &a, &b, &c, &d)) return false;
  const bool is_amd = b == 0x68747541 && d == 0x69746e65 && c == 0x444d4163;  // "AuthenticAMD"
  if (!is_amd || !__get_cpuid(1, &a, &b, &c, &d)) return false;
  unsigned family = (a >> 8) & 0xf;
  if (family == 0xf) family += (a >> 20) & 0xff;
  return family == 0x19;
}

// The threads of this process, or 0 where the kernel does not tell.
static int count_threads(void) {
  FILE *status = fopen("/proc/self/status", "re");
  if (!status) return 0;
  char line[256];
  int count = 0;
  while (fgets(line, sizeof line, status)) {
    if (sscanf(line, "Threads: %d", &count) == 1) break;
  }
  fclose(status);
  return count;
}

// While OpenBLAS chooses again its table of kernels is unset for a moment: another thread in a BLAS call would crash.
// Its own workers are no danger, they wait for work. Only its pthread build (parallel() == 1) has started them by now.
static bool is_alone(const struct openblas *blas) {
  const int expected = blas->parallel() == 1 ? blas->thread_count() : 1;
  const int threads = count_threads();
  return threads >= 1 && threads <= expected;
}

// Why OpenBLAS's choice stands, or NULL where it should be replaced.
static const char *reason_to_keep(struct openblas *blas) {
  if (!find(&blas->core_name, "openblas_get_corename")) return "this BLAS does not tell which kernels it uses";
  copy_name(picked, blas->core_name());
  if (getenv("OPENBLAS_CORETYPE")) {
    return is_older_than_avx512(picked) && has_avx512() ? "OPENBLAS_CORETYPE is set, though this CPU has AVX-512"
                                                        : "OPENBLAS_CORETYPE is set";
  }
  if (is_on("ATTENTION_KEEP_BLAS_CORE")) return "ATTENTION_KEEP_BLAS_CORE is set";
  if (!is_older_than_avx512(picked)) return "these kernels are no older than AVX-512";
  if (!has_avx512()) return "this CPU, or its operating system, has no AVX-512";
  // Zen 4 runs 512-bit instructions in two halves: no gain was measured there.
  if (is_zen4()) return "AVX-512 kernels gain nothing on this CPU";
  void *table;
  if (!find(&table, "gotoblas_SKYLAKEX") || !find(&blas->dynamic_init, "gotoblas_dynamic_init") ||
      !find(&blas->dynamic_quit, "gotoblas_dynamic_quit") || !find(&blas->parallel, "openblas_get_parallel") ||
      !find(&blas->thread_count, "openblas_get_num_threads")) {
    return "this build of OpenBLAS has no AVX-512 kernels to choose";
  }
  if (!is_alone(blas)) return "other threads were running already";
  return NULL;
}

__attribute__((constructor)) static void choose(void) {
  struct openblas blas;
  decision.reason = reason_to_keep(&blas);
  if (decision.reason) {
    copy_name(now, picked);
    return;
  }
  if (setenv("OPENBLAS_CORETYPE", "SkylakeX", 1) != 0) {
    copy_name(now, picked);
    decision.reason = "the environment could not be changed";
    return;
  }
  blas.dynamic_quit();
  blas.dynamic_init();
  unsetenv("OPENBLAS_CORETYPE");
  copy_name(now, blas.core_name());
  decision.reason = strcmp(now, "SkylakeX") == 0 ? "this CPU has AVX-512, which OpenBLAS did not make use of"
                                                 : "OpenBLAS was asked for SkylakeX and chose otherwise";
}

#else

static struct CBLASCore_decision decision = {"", "", "it is replaced on x86-64 Linux only"};

#endif

const struct CBLASCore_decision *CBLASCore_choice(void) { return &decision; }
