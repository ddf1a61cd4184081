// Runs every entry of the table of every instruction set that this CPU has, or of the sets that are named:
//   driver [SET...]
// One line a set, a process each, as many at a time as there are CPUs. Exits with 1 where anything failed, with 64 where this CPU has no set
// of that name.

#define _DEFAULT_SOURCE

#include "check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void (*const subjects[])(kernel_set *) = {
    check_sets, check_words,   check_rows,  check_masks,   check_loads,  check_stores,
    check_exp,  check_softcap, check_alibi, check_softmax, check_rotary, check_panels,
    check_mask_tiles, check_fused, check_streams, check_integer_streams, check_integer_scores, check_quantizers,
    check_planes, check_bounds,
    check_linear_pack, check_linear, check_layers,
};

// A kernel touched what lies next to its rows (see memory.h).
static void report_crash(int signal) {
  static const char text[] = "crashed: it touched memory out of bounds, or the instruction is none\n";
  (void)signal;
  const char *place = current_place();
  if (write(STDOUT_FILENO, place, strlen(place)) < 0 || write(STDOUT_FILENO, ", ", 2) < 0 ||
      write(STDOUT_FILENO, text, sizeof text - 1) < 0)
    _exit(3);
  _exit(1);
}

// Whether all of a set's checks passed.
static int run_set(const char *name) {
  kernel_set *set = CAttentionKernels_named(name);
  begin_set(set);
  for (size_t s = 0; s < sizeof subjects / sizeof *subjects; s++)
    subjects[s](set);
  struct tally tally = end_set();
  printf("%s: %d entries, %lld comparisons, %lld failed\n", name, tally.entries, tally.compared, tally.failed);
  return tally.failed == 0;
}

// A child that crashed, or that a sanitizer ended, has failed too.
static int wait_for_set(void) {
  int status;
  if (wait(&status) < 0) {
    perror("driver: wait");
    exit(1);
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv) {
  const int fatal[] = {SIGSEGV, SIGBUS, SIGILL};
  for (int i = 0; i < 3; i++)
    signal(fatal[i], report_crash);
  // What has been printed is out before a crash is.
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i < argc; i++)
    if (!CAttentionKernels_named(argv[i])) {
      fprintf(stderr, "driver: this CPU has no set named %s\n", argv[i]);
      return 64;
    }
  const long most = sysconf(_SC_NPROCESSORS_ONLN);
  int running = 0, passed = 1;
  const char *name;
  for (int i = 0; (name = argc > 1 ? argv[i + 1] : CAttentionKernels_name(i)); i++) {
    if (running >= most) {
      passed &= wait_for_set();
      running--;
    }
    const pid_t child = fork();
    if (child < 0) {
      perror("driver: fork");
      return 1;
    }
    if (child == 0)
      exit(!run_set(name));
    running++;
  }
  while (running-- > 0)
    passed &= wait_for_set();
  return !passed;
}
