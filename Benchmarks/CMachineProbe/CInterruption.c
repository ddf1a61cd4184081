#include "CInterruption.h"

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
}

int CInterruption_signal(void) { return atomic_load(&received); }
