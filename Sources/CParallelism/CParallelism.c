#define _GNU_SOURCE
#include "CParallelism.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

// Calls `use` with the affinity mask of a thread or process, whatever its size; what `use` returns, or 0.
static int32_t withAffinity(pid_t of, int32_t (*use)(cpu_set_t *set, int capacity, int argument), int argument) {
  // The kernel answers EINVAL to a mask smaller than its own, so the mask doubles until it fits. 2^20 CPUs are far
  // beyond the largest kernel configuration (8192): what fails there fails for another reason.
  for (int capacity = 1024; capacity <= 1 << 20; capacity *= 2) {
    cpu_set_t *set = CPU_ALLOC(capacity);
    if (!set) return 0;
    size_t size = CPU_ALLOC_SIZE(capacity);
    CPU_ZERO_S(size, set);
    int failed = sched_getaffinity(of, size, set);
    int reason = errno;
    int32_t result = failed ? 0 : use(set, capacity, argument);
    CPU_FREE(set);
    if (!failed) return result;
    if (reason != EINVAL) return 0;
  }
  return 0;
}

static int32_t countOf(cpu_set_t *set, int capacity, int unused) {
  (void)unused;
  return CPU_COUNT_S(CPU_ALLOC_SIZE(capacity), set);
}

int32_t CParallelism_affinityCount(void) { return withAffinity(0, countOf, 0); }

int32_t CParallelism_currentCPU(void) { return sched_getcpu(); }

static int32_t leave(cpu_set_t *set, int capacity, int cpu) {
  size_t size = CPU_ALLOC_SIZE(capacity);
  if (cpu < 0 || cpu >= capacity) return 0;
  CPU_CLR_S(cpu, size, set);
  // A wish: where it is refused, the thread stays where it is.
  return CPU_COUNT_S(size, set) > 0 && sched_setaffinity(0, size, set) == 0;
}

// The process's first thread has the mask that the process was given.
void CParallelism_avoidCPU(int32_t cpu) { withAffinity(getpid(), leave, cpu); }

void CParallelism_nameThread(int32_t index) {
  char name[16]; // The kernel's limit, terminator included.
  snprintf(name, sizeof name, "attn-%d", (int)index);
  pthread_setname_np(pthread_self(), name);
}

static _Atomic uint32_t forks;
static pthread_once_t handlerOnce = PTHREAD_ONCE_INIT;

static void countFork(void) { atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed); }
static void installHandler(void) { pthread_atfork(NULL, NULL, countFork); }

// Readers are inside of libraries with locks, the writer forks. Writers come first: readers that take turns would keep a fork waiting for ever.
#ifndef PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP // musl's lets writers come first anyway.
#define PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP PTHREAD_RWLOCK_INITIALIZER
#endif
static const pthread_rwlock_t newGate = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static pthread_rwlock_t forkGate = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static pthread_once_t gateOnce = PTHREAD_ONCE_INIT;

static void closeGate(void) { pthread_rwlock_wrlock(&forkGate); }
static void openGate(void) { pthread_rwlock_unlock(&forkGate); }
// In a child the lock still counts readers that wait in the parent, and would be handed to them.
static void replaceGate(void) { forkGate = newGate; }
static void installGate(void) { pthread_atfork(closeGate, openGate, replaceGate); }

void CParallelism_delayForks(void) {
  pthread_once(&gateOnce, installGate);
  pthread_rwlock_rdlock(&forkGate);
}

void CParallelism_allowForks(void) { pthread_rwlock_unlock(&forkGate); }

uint32_t CParallelism_forkCount(void) {
  pthread_once(&handlerOnce, installHandler);
  return atomic_load_explicit(&forks, memory_order_relaxed);
}
