#pragma once

// What the Parallelism target needs from C, and why each piece cannot be Swift:
//  * spinPause: one instruction; Swift has no inline assembly, and this toolchain no public spin hint.
//  * futexWait, futexWake: `syscall` is variadic, which Swift does not import. They can go when the standard library
//    has a public wait on an atomic.
//  * affinityCount: the CPU_ALLOC family are macros behind _GNU_SOURCE.
//  * currentCPU, avoidCPU: sched_getcpu and the CPU_ALLOC family are behind _GNU_SOURCE.
//  * nameThread: pthread_setname_np is behind _GNU_SOURCE.
//  * delayForks: pthread_rwlock_t with writers first is an initialiser behind _GNU_SOURCE, and pthread_atfork takes C functions.
//  * forkCount: the handler runs in a forked child, where only async-signal-safe code may run; C says exactly what runs.

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Tells the core that this is a spin loop.
static inline void CParallelism_spinPause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  // `yield` is a no-op on most arm64 cores; `isb` waits for the pipeline to drain, about as long as x86's pause.
  __asm__ __volatile__("isb" ::: "memory");
#else
  __asm__ __volatile__("" ::: "memory");
#endif
}

/// Sleeps while `*word == expected`, until woken. May return at any time: the caller looks again.
static inline void CParallelism_futexWait(void *word, uint32_t expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, (void *)0, (void *)0, 0);
}

/// Wakes one thread that sleeps on `word`, if one does.
static inline void CParallelism_futexWakeOne(void *word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, (void *)0, (void *)0, 0);
}

/// How many CPUs the calling thread may run on, from its affinity mask of any size; 0 when the kernel does not say.
int32_t CParallelism_affinityCount(void);

/// The CPU that the calling thread is on, at this moment; negative when the kernel does not say.
int32_t CParallelism_currentCPU(void);

/// Lets the calling thread run on every CPU that the process may use but this one, if there is another.
void CParallelism_avoidCPU(int32_t cpu);

/// Names the calling thread "attn-<index>", for debuggers and profilers.
void CParallelism_nameThread(int32_t index);

/// Holds up every fork of this process until allowForks: for calls of libraries whose locks a child would find taken, by a thread that it does not
/// have. Any number of threads may be inside; a thread must not enter twice, nor fork inside.
void CParallelism_delayForks(void);

/// Ends what delayForks began on this thread.
void CParallelism_allowForks(void);

/// How many forks lie between this process and the first call of this function: a thread pool made at one count has
/// no threads at another. The first call installs the handler; every call costs one load.
uint32_t CParallelism_forkCount(void);
