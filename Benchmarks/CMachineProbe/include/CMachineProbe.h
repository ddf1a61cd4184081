// What this machine can do at most: floating-point multiply-adds, reading memory and changing it, measured.
//
// In C because a probe must be one loop whose instructions are known; a kernel that reaches half of what a probe
// says then has something left to gain. Each call starts its own threads, so a probe depends on nothing that it judges.
// Vectors are chosen at run time: AVX-512, AVX2 with FMA, or what the compiler makes of 16-byte vectors elsewhere.
#pragma once

#include <stddef.h>

/// The instruction set that the probes run with: `AVX-512`, `AVX2` or `baseline`.
const char *CMachineProbe_instructionSet(void);

/// Float32 operations a second, a fused multiply-add being two, of `threads` threads (at least one) that work at the
/// same time for `seconds`. Registers only: no memory is touched. 0 where no thread could be started.
double CMachineProbe_fmaRate(int threads, double seconds);

/// Writes random-looking bytes, each part by the thread that later reads it, so that pages lie near their reader.
void CMachineProbe_fill(int threads, void *memory, size_t bytes);

/// Bytes a second that `threads` threads read at the same time for `seconds`, each going round and round over its own
/// part of `memory` after one untimed pass: from a cache where the parts fit in one, from memory where they do not.
/// `memory` is aligned to 64 bytes and has at least 4096 bytes a thread. 0 where no thread could be started.
double CMachineProbe_readRate(int threads, const void *memory, size_t bytes, double seconds);

/// Bytes a second that `threads` threads read and write at the same time for `seconds`, both counted: each goes round and
/// round over its own part of `memory`, as `CMachineProbe_readRate` does, and changes every byte in place. So a line
/// that is written was just read, and ordinary stores cost no more traffic than stores past the caches would.
double CMachineProbe_readWriteRate(int threads, void *memory, size_t bytes, double seconds);
