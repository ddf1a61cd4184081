#include "CInterruption.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static atomic_int received;

static void note(int number) {
  int none = 0;
  atomic_compare_exchange_strong(&received, &none, number);
}

void CInterruption_watch(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = note;
  // Calls of the system that it interrupts go on, as if nothing had happened.
  action.sa_flags = SA_RESTART | SA_RESETHAND;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  // Who started this process may have done so from a thread that blocks signals, which is inherited.
  sigset_t watched;
  sigemptyset(&watched);
  sigaddset(&watched, SIGINT);
  sigaddset(&watched, SIGTERM);
  pthread_sigmask(SIG_UNBLOCK, &watched, NULL);
}

int CInterruption_signal(void) { return atomic_load(&received); }
