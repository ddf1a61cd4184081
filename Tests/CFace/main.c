// Checks attention.h as a C program sees it. One line at the end; exits with 1 where anything failed, or a
// function of the library was not called. `driver SUBJECT…` runs some subjects alone.

#include "check.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
  const char *name;
  void (*check)(void);
} subjects[] = {
    // First: children of a process that has made little.
    {"limits", check_limits},
    {"calls", check_calls},
    {"edges", check_edges},
    {"merge", check_merge},
    {"quantize", check_quantize},
    {"rotary", check_rotary},
    {"describe", check_describe},
    {"threads", check_threads},
    {"caches", check_caches},
    {"errors", check_errors},
    {"source-errors", check_source_errors},
    {"function-errors", check_function_errors},
    {"cache-errors", check_cache_errors},
    {"step-errors", check_step_errors},
    {"fork", check_fork},
};
enum { subject_count = sizeof subjects / sizeof *subjects };

// A call crashed: where.
static void report_crash(int signal) {
  static const char text[] = ", crashed\n";
  (void)signal;
  const char *place = current_place();
  if (write(STDOUT_FILENO, place, strlen(place)) < 0 || write(STDOUT_FILENO, text, sizeof text - 1) < 0)
    _exit(3);
  _exit(1);
}

static int run_named(int count, char **names) {
  for (int i = 1; i < count; i++) {
    int found = 0;
    for (int s = 0; s < subject_count; s++)
      if (strcmp(names[i], subjects[s].name) == 0) {
        subjects[s].check();
        found = 1;
      }
    if (!found) {
      fprintf(stderr, "no subject %s; there are:", names[i]);
      for (int s = 0; s < subject_count; s++)
        fprintf(stderr, " %s", subjects[s].name);
      fprintf(stderr, "\n");
      return 64;
    }
  }
  printf("%lld failed\n", failures());
  return failures() != 0;
}

int main(int count, char **names) {
  const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGABRT};
  for (int i = 0; i < 4; i++)
    signal(fatal[i], report_crash);
  // What has been printed is out before a crash is.
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (count > 1)
    return run_named(count, names);
  for (int s = 0; s < subject_count; s++)
    subjects[s].check();
  return end_checks();
}
