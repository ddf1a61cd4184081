#pragma once

// What the TensorFiles target needs from C, and why each piece cannot be Swift:
//  * openUnnamed, linkUnnamed: O_TMPFILE is behind _GNU_SOURCE, and its value differs between architectures.
//  * noteFile, forgetFile, removeOnSignals: the handler runs in the middle of anything, where only async-signal-safe code may run; C
//    says exactly what runs.
//  * dequantize…: vectors of bytes that become vectors of floats, without an FMA whatever the machine has; Swift's loops over such
//    blocks stay scalar.

#include <stddef.h>
#include <stdint.h>

/// Opens a new file without a name in a directory, for writing; the kernel frees it with its last descriptor, however the process
/// ends. Negative where the file system has no such files.
int32_t CTensorFiles_openUnnamed(const char *directory);

/// Gives an unnamed file a name that nobody has. 0, or the number of the error: EEXIST where somebody has it.
int32_t CTensorFiles_linkUnnamed(int32_t descriptor, const char *path);

/// Notes a file that has to go if a signal ends the process. A place for `forgetFile`, or −1 where 16 are noted already.
int32_t CTensorFiles_noteFile(const char *path);

/// Frees the place.
void CTensorFiles_forgetFile(int32_t place);

/// From now on SIGINT, SIGTERM and SIGHUP remove the noted files before they end the process; a signal that is ignored stays ignored.
/// For executables: what a process does on signals is not for a library to say. Nothing can be left where the threads that may receive
/// them are those that write files; on others the process could end between the removal and the making of a file.
void CTensorFiles_removeOnSignals(void);

// MARK: Weights of GGUF files as floats
//
// `count` weights or `blocks` blocks, whose layouts and formulas `GGUFTensorType` lists; `from` need not be aligned. The result is what
// the format defines in single precision, each operation rounded by itself.

void CTensorFiles_dequantizeF16(const uint8_t *from, size_t count, float *to);
void CTensorFiles_dequantizeBF16(const uint8_t *from, size_t count, float *to);
void CTensorFiles_dequantizeQ8_0(const uint8_t *from, size_t blocks, float *to);
void CTensorFiles_dequantizeQ4_0(const uint8_t *from, size_t blocks, float *to);
void CTensorFiles_dequantizeQ4_1(const uint8_t *from, size_t blocks, float *to);
void CTensorFiles_dequantizeQ5_0(const uint8_t *from, size_t blocks, float *to);
void CTensorFiles_dequantizeQ5_1(const uint8_t *from, size_t blocks, float *to);
void CTensorFiles_dequantizeQ4_K(const uint8_t *from, size_t blocks, float *to);
void CTensorFiles_dequantizeQ5_K(const uint8_t *from, size_t blocks, float *to);
void CTensorFiles_dequantizeQ6_K(const uint8_t *from, size_t blocks, float *to);
