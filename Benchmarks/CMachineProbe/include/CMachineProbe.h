// What this machine can do at most: floating-point multiply-adds, reading memory and changing it, measured.
//
// In C because a probe must be one loop whose instructions are known; a kernel that reaches half of what a probe
// says then has something left to gain. Each call starts its own threads, so a probe depends on nothing that it judges.
// Vectors are chosen at run time: AVX-512, AVX2 with FMA, or what the compiler makes of 16-byte vectors elsewhere.
#pragma once

#include "CInterruption.h"

#include <stdbool.h>
#include <stddef.h>

/// What multiply-adds are computed in.
enum CMachineProbe_Arithmetic {
  CMachineProbe_float32,
  CMachineProbe_float64,
  /// Dot products of pairs of bfloat16 numbers, added up in Float32: AVX512_BF16.
  CMachineProbe_bfloat16,
  CMachineProbe_arithmeticCount,
};

/// The instruction set that the probes run with: `AVX-512`, `AVX2` or `baseline`.
const char *CMachineProbe_instructionSet(void);

/// Whether the CPU has instructions for this arithmetic.
bool CMachineProbe_supports(enum CMachineProbe_Arithmetic arithmetic);

/// Operations a second, a fused multiply-add being two, of `threads` threads (at least one) that work at the same time for
/// `seconds`. Registers only: no memory is touched. 0 where no thread could be started or the CPU has no such arithmetic.
double CMachineProbe_multiplyAddRate(enum CMachineProbe_Arithmetic arithmetic, int threads, double seconds);

/// Writes random-looking bytes, each part by the thread that later reads it, so that pages lie near their reader. Huge pages where the
/// system has them: small ones cost a quarter of the rate from memory in looking up addresses. `memory` is aligned to 4096 bytes.
void CMachineProbe_fill(int threads, void *memory, size_t bytes);

/// Bytes a second that `threads` threads read at the same time for `seconds`, each going round and round over its own
/// part of `memory` after one untimed pass: from a cache where the parts fit in one, from memory where they do not. The faster of
/// two loops, with and without prefetches, each measured for `seconds`.
/// `memory` is aligned to 64 bytes and has at least 4096 bytes a thread. 0 where no thread could be started.
double CMachineProbe_readRate(int threads, const void *memory, size_t bytes, double seconds);

/// Bytes a second that `threads` threads read and write at the same time for `seconds`, both counted: each goes round and
/// round over its own part of `memory`, as `CMachineProbe_readRate` does, and changes every byte in place. So a line
/// that is written was just read, and ordinary stores cost no more traffic than stores past the caches would.
double CMachineProbe_readWriteRate(int threads, void *memory, size_t bytes, double seconds);

/// Gives memory that was freed back to the system, where the C library can: what is resident then is in use.
void CMachineProbe_returnFreeMemory(void);
