#define _GNU_SOURCE
#include "CParallelism.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

int32_t CParallelism_affinityCount(void) {
  // The kernel answers EINVAL to a mask smaller than its own, so the mask doubles until it fits. 2^20 CPUs are far
  // beyond the largest kernel configuration (8192): what fails there fails for another reason.
  for (int capacity = 1024; capacity <= 1 << 20; capacity *= 2) {
    cpu_set_t *set = CPU_ALLOC(capacity);
    if (!set) return 0;
    size_t size = CPU_ALLOC_SIZE(capacity);
    CPU_ZERO_S(size, set);
    int failed = sched_getaffinity(0, size, set);
    int reason = errno;
    int count = failed ? 0 : CPU_COUNT_S(size, set);
    CPU_FREE(set);
    if (!failed) return count;
    if (reason != EINVAL) return 0;
  }
  return 0;
}

void CParallelism_nameThread(int32_t index) {
  char name[16]; // The kernel's limit, terminator included.
  snprintf(name, sizeof name, "attn-%d", (int)index);
  pthread_setname_np(pthread_self(), name);
}

static _Atomic uint32_t forks;
static pthread_once_t handlerOnce = PTHREAD_ONCE_INIT;

static void countFork(void) { atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed); }
static void installHandler(void) { pthread_atfork(NULL, NULL, countFork); }

uint32_t CParallelism_forkCount(void) {
  pthread_once(&handlerOnce, installHandler);
  return atomic_load_explicit(&forks, memory_order_relaxed);
}
