#include "CMachineProbe.h"

#include "kernels.h"
#if defined(__x86_64__)
#include "bfloat16.h"
#endif

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

DEFINE_KERNELS(baseline, , 16, 12)
#if defined(__x86_64__)
DEFINE_KERNELS(avx2, __attribute__((target("avx2,fma"))), 32, 14)
DEFINE_KERNELS(avx512, __attribute__((target("avx512f"))), 64, 16)
#endif

static struct Kernels bestKernels(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) {
    struct Kernels kernels = KERNELS(avx512, "AVX-512");
    if (__builtin_cpu_supports("avx512bf16"))
      kernels.multiplyAdd[CMachineProbe_bfloat16] = avx512_bfloat16;
    return kernels;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return KERNELS(avx2, "AVX2");
#endif
  return KERNELS(baseline, "baseline");
}

const char *CMachineProbe_instructionSet(void) { return bestKernels().name; }

bool CMachineProbe_supports(enum CMachineProbe_Arithmetic arithmetic) {
  return bestKernels().multiplyAdd[arithmetic] != NULL;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// MARK: Threads that start together

struct Part;

struct Probe {
  struct Kernels kernels;
  MultiplyAdd *multiplyAdd; // where that is the work
  double seconds;
  double start;       // of the window that all share; set by the last thread to come
  atomic_int waiting; // threads that have not come to the start yet
  void (*work)(struct Probe *, struct Part *);
};

struct Part {
  struct Probe *probe;
  char *memory;
  size_t bytes;
  double done; // operations or bytes inside the window
};

// The end of the window, once every thread stands at its start.
static double waitForAll(struct Probe *probe) {
  if (atomic_fetch_sub(&probe->waiting, 1) == 1) {
    probe->start = now();
    atomic_fetch_sub(&probe->waiting, 1);
  }
  while (atomic_load(&probe->waiting) >= 0)
    sched_yield();
  return probe->start + probe->seconds;
}

static void *runPart(void *argument) {
  struct Part *part = argument;
  part->probe->work(part->probe, part);
  return NULL;
}

// Runs the work on `threads` new threads, over equal parts of the memory; what they did in the window, a second.
// All or nothing: where a thread cannot be started, 0.
static double runProbe(struct Probe *probe, int threads, char *memory, size_t bytes) {
  if (threads < 1)
    return 0;
  pthread_t *handles = calloc((size_t)threads, sizeof *handles);
  struct Part *parts = calloc((size_t)threads, sizeof *parts);
  int started = 0;
  double done = 0;
  if (handles && parts) {
    size_t share = bytes / (size_t)threads & ~(size_t)4095;
    atomic_store(&probe->waiting, threads);
    for (; started < threads; started++) {
      parts[started] = (struct Part){probe, memory + share * (size_t)started, share, 0};
      if (pthread_create(&handles[started], NULL, runPart, &parts[started]) != 0)
        break;
    }
    if (started < threads)
      atomic_store(&probe->waiting, -1);
    for (int thread = 0; thread < started; thread++) {
      pthread_join(handles[thread], NULL);
      done += parts[thread].done;
    }
  }
  free(handles);
  free(parts);
  return started == threads && probe->seconds > 0 ? done / probe->seconds : 0;
}

// MARK: Work

static void multiplyAddForAWhile(struct Probe *probe, struct Part *part) {
  float sink = 0;
  // About 10 microseconds between looks at the clock. The first calls wake the vector units and the clock.
  const long iterations = 4096;
  for (int warmUp = 0; warmUp < 100; warmUp++)
    probe->multiplyAdd(iterations, &sink);
  double end = waitForAll(probe);
  for (;;) {
    double operations = probe->multiplyAdd(iterations, &sink);
    if (now() > end)
      break;
    part->done += operations;
  }
  volatile float kept = sink;
  (void)kept;
}

// Goes over some of a part's memory; the sink is for what it reads.
typedef void Pass(const struct Kernels *kernels, char *memory, size_t bytes, volatile uint64_t *sink);

static void readOnce(const struct Kernels *kernels, char *memory, size_t bytes, volatile uint64_t *sink) {
  *sink += kernels->read(memory, bytes);
}

static void readAheadOnce(const struct Kernels *kernels, char *memory, size_t bytes, volatile uint64_t *sink) {
  *sink += kernels->readAhead(memory, bytes);
}

static void readAndWriteOnce(const struct Kernels *kernels, char *memory, size_t bytes, volatile uint64_t *sink) {
  (void)sink;
  kernels->readWrite(memory, bytes);
}

static size_t smaller(size_t first, size_t second) { return first < second ? first : second; }

// Round and round over the part's memory, after a first pass that is not counted.
static void passForAWhile(struct Probe *probe, struct Part *part, Pass *pass) {
  volatile uint64_t sink = 0;
  pass(&probe->kernels, part->memory, part->bytes, &sink);
  double end = waitForAll(probe);
  // Some microseconds between looks at the clock, however small the part is.
  const size_t step = 1 << 18;
  size_t position = 0;
  while (part->bytes > 0) {
    for (size_t passed = 0; passed < step;) {
      size_t count = smaller(step - passed, part->bytes - position);
      pass(&probe->kernels, part->memory + position, count, &sink);
      position = position + count == part->bytes ? 0 : position + count;
      passed += count;
    }
    if (now() > end)
      break;
    part->done += (double)step;
  }
}

static void readForAWhile(struct Probe *probe, struct Part *part) { passForAWhile(probe, part, readOnce); }

static void readAheadForAWhile(struct Probe *probe, struct Part *part) {
  passForAWhile(probe, part, readAheadOnce);
}

static void readAndWriteForAWhile(struct Probe *probe, struct Part *part) {
  passForAWhile(probe, part, readAndWriteOnce);
}

static void fillPart(struct Probe *probe, struct Part *part) {
  waitForAll(probe);
  uint64_t state = (uintptr_t)part->memory | 1;
  for (size_t position = 0; position + 8 <= part->bytes; position += 8) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    *(uint64_t *)(part->memory + position) = state;
  }
}

// MARK: Entries

double CMachineProbe_multiplyAddRate(enum CMachineProbe_Arithmetic arithmetic, int threads, double seconds) {
  struct Probe probe = {.kernels = bestKernels(), .seconds = seconds, .work = multiplyAddForAWhile};
  probe.multiplyAdd = probe.kernels.multiplyAdd[arithmetic];
  return probe.multiplyAdd ? runProbe(&probe, threads, NULL, 0) : 0;
}

void CMachineProbe_fill(int threads, void *memory, size_t bytes) {
  // Where the system gives none, small ones do.
  madvise(memory, bytes, MADV_HUGEPAGE);
  struct Probe probe = {.kernels = bestKernels(), .work = fillPart};
  runProbe(&probe, threads, memory, bytes);
}

double CMachineProbe_readRate(int threads, const void *memory, size_t bytes, double seconds) {
  struct Probe plain = {.kernels = bestKernels(), .seconds = seconds, .work = readForAWhile};
  struct Probe ahead = {.kernels = bestKernels(), .seconds = seconds, .work = readAheadForAWhile};
  // This work does not write.
  double plainRate = runProbe(&plain, threads, (char *)memory, bytes);
  double aheadRate = runProbe(&ahead, threads, (char *)memory, bytes);
  return plainRate > aheadRate ? plainRate : aheadRate;
}

double CMachineProbe_readWriteRate(int threads, void *memory, size_t bytes, double seconds) {
  struct Probe probe = {.kernels = bestKernels(), .seconds = seconds, .work = readAndWriteForAWhile};
  return 2 * runProbe(&probe, threads, memory, bytes);
}

void CMachineProbe_returnFreeMemory(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}
