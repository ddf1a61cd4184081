#pragma once

// What the TensorFiles target needs from C, and why each piece cannot be Swift:
//  * openUnnamed, linkUnnamed: O_TMPFILE is behind _GNU_SOURCE, and its value differs between architectures.
//  * noteFile, forgetFile, removeOnSignals: the handler runs in the middle of anything, where only async-signal-safe code may run; C
//    says exactly what runs.

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
