#include "COneBLASThread.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The number 1 as nobody else writes it: the mark that this file set the variable.
#define SETTING "OPENBLAS_NUM_THREADS=01"

// The value of a variable; NULL where it is another one. The C library has no environment of its own yet.
static const char *value(const char *entry, const char *name) {
  size_t length = strlen(name);
  return strncmp(entry, name, length) == 0 && entry[length] == '=' ? entry + length + 1 : NULL;
}

// Whether the user has decided already: by OpenBLAS's variable, or by ours as BLASRuntime reads it.
static bool isDecided(const char *entry) {
  if (value(entry, "OPENBLAS_NUM_THREADS")) return true;
  const char *keeps = value(entry, "ATTENTION_KEEP_BLAS_THREADS");
  return keeps && *keeps && strcmp(keeps, "0") != 0;
}

static void startAnew(int argumentCount, char **arguments, char **environment) {
  (void)argumentCount;
  size_t count = 0;
  for (; environment[count]; count++) {
    if (isDecided(environment[count])) return;
  }
  // By its path, since /proc/self/exe itself would become the process's name.
  char path[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0 || length == sizeof path) return;
  path[length] = 0;
  char *changed[count + 2];
  memcpy(changed, environment, count * sizeof *changed);
  changed[count] = SETTING;
  changed[count + 1] = NULL;
  execve(path, arguments, changed);
  // Where that is not allowed, OpenBLAS has its threads.
}

__attribute__((section(".preinit_array"), used)) static void (*const beforeLibraries)(int, char **,
                                                                                     char **) = startAnew;

// After OpenBLAS has read it, the variable is taken back: it is nothing to processes that this one starts.
__attribute__((constructor)) static void takeBack(void) {
  const char *threads = getenv("OPENBLAS_NUM_THREADS");
  if (threads && strcmp(threads, strchr(SETTING, '=') + 1) == 0) unsetenv("OPENBLAS_NUM_THREADS");
}
