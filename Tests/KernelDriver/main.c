// Runs every entry of the table of every instruction set that this CPU has. One line a set; exits with 1
// where anything failed.

#define _DEFAULT_SOURCE

#include "check.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
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

int main(void) {
  const int fatal[] = {SIGSEGV, SIGBUS, SIGILL};
  for (int i = 0; i < 3; i++)
    signal(fatal[i], report_crash);
  // What has been printed is out before a crash is.
  setvbuf(stdout, NULL, _IOLBF, 0);
  long long failed = 0;
  const char *name;
  for (int i = 0; (name = CAttentionKernels_name(i)); i++) {
    kernel_set *set = CAttentionKernels_named(name);
    begin_set(set);
    for (size_t s = 0; s < sizeof subjects / sizeof *subjects; s++)
      subjects[s](set);
    struct tally tally = end_set();
    printf("%s: %d entries, %lld comparisons, %lld failed\n", name, tally.entries, tally.compared,
           tally.failed);
    failed += tally.failed;
  }
  return failed != 0;
}
