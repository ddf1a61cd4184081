#define _GNU_SOURCE
#include "CTensorFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { placeCount = 16 };

// The path of a descriptor; naming it by itself, with AT_EMPTY_PATH, needs a capability before Linux 6.10.
static void nameDescriptor(char name[32], int32_t descriptor) {
  snprintf(name, 32, "/proc/self/fd/%d", (int)descriptor);
}

int32_t CTensorFiles_openUnnamed(const char *directory) {
  int32_t descriptor = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  if (descriptor < 0) return -1;
  char name[32];
  nameDescriptor(name, descriptor);
  // Without /proc the file could never be given a name.
  if (access(name, F_OK) == 0) return descriptor;
  close(descriptor);
  return -1;
}

int32_t CTensorFiles_linkUnnamed(int32_t descriptor, const char *path) {
  char name[32];
  nameDescriptor(name, descriptor);
  return linkat(AT_FDCWD, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

static _Atomic(char *) noted[placeCount];

int32_t CTensorFiles_noteFile(const char *path) {
  char *copy = strdup(path);
  if (!copy) return -1;
  for (int32_t place = 0; place < placeCount; place++) {
    char *nothing = NULL;
    if (atomic_compare_exchange_strong(&noted[place], &nothing, copy)) return place;
  }
  free(copy);
  return -1;
}

void CTensorFiles_forgetFile(int32_t place) {
  // Whoever exchanges a path for NULL owns it, so the handler never reads one that was freed.
  if (place >= 0 && place < placeCount) free(atomic_exchange(&noted[place], NULL));
}

static void removeNoted(int number) {
  for (int place = 0; place < placeCount; place++) {
    char *path = atomic_exchange(&noted[place], NULL);
    if (path) unlink(path);
  }
  // Blocked while its handler runs, the signal ends the process on return, as whoever waits for the process expects.
  struct sigaction usual;
  memset(&usual, 0, sizeof usual);
  usual.sa_handler = SIG_DFL;
  sigaction(number, &usual, NULL);
  raise(number);
}

void CTensorFiles_removeOnSignals(void) {
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
  sigset_t handled;
  sigemptyset(&handled);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    struct sigaction action;
    if (sigaction(signals[i], NULL, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    memset(&action, 0, sizeof action);
    action.sa_handler = removeNoted;
    // Calls of the system that it interrupts on other threads go on, as if nothing had happened.
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    sigaction(signals[i], &action, NULL);
    sigaddset(&handled, signals[i]);
  }
  // Who started this process may have done so from a thread that blocks signals, which is inherited.
  pthread_sigmask(SIG_UNBLOCK, &handled, NULL);
}
