// Calls that the system has no memory for, in children whose address space may grow by little: refused with
// ATTENTION_OUT_OF_MEMORY, never ended by a signal, and right once the limit is lifted.

#include "check.h"
#include "limit_cases.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { succeeded = 0, was_refused = 10, was_wrong = 11, stays_wrong = 12 };

static size_t address_space(void) {
  FILE *file = fopen("/proc/self/statm", "r");
  unsigned long pages = 0;
  if (!file || fscanf(file, "%lu", &pages) != 1)
    exit(2);
  fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

// In a child: the call under a limit, then without.
static int attempt_within(const struct limit_case *each, size_t margin) {
  void *operands = each->prepare();
  struct rlimit before, limit;
  if (getrlimit(RLIMIT_AS, &before))
    return 2;
  limit = before;
  limit.rlim_cur = address_space() + margin;
  if (setrlimit(RLIMIT_AS, &limit))
    return 2;
  const attention_status status = each->call(operands);
  if (setrlimit(RLIMIT_AS, &before))
    return 2;
  if (status == ATTENTION_OK)
    return succeeded;
  if (status != ATTENTION_OUT_OF_MEMORY || !strchr(CALL(attention_last_error)(), ':'))
    return was_wrong;
  return each->call(operands) == ATTENTION_OK ? was_refused : stays_wrong;
}

// How a child ended; what it said is in `text`.
static int run_child(const struct limit_case *each, size_t margin, char *text, size_t capacity) {
  int ends[2];
  if (pipe(ends))
    exit(2);
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGABRT};
    for (int i = 0; i < 4; i++)
      signal(fatal[i], SIG_DFL);
    alarm(20);
    const int end = attempt_within(each, margin);
    if (end == was_wrong || end == stays_wrong)
      fprintf(stderr, "%s", CALL(attention_last_error)());
    _exit(end);
  }
  close(ends[1]);
  size_t count = 0;
  ssize_t got;
  char rest[256];
  while ((got = read(ends[0], count < capacity - 1 ? text + count : rest,
                     count < capacity - 1 ? capacity - 1 - count : sizeof rest)) > 0)
    count += count < capacity - 1 ? (size_t)got : 0;
  text[count] = 0;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

static void check_case(const struct limit_case *each) {
  int refused = 0, done = 0;
  // From what small things take, which nobody asks for, to more than any of them.
  for (size_t margin = 512 << 10; margin < (size_t)1 << 30; margin *= 2) {
    char text[400];
    const int status = run_child(each, margin, text, sizeof text);
    for (char *newline = text; (newline = strchr(newline, '\n'));)
      *newline = ' ';
    begin_case("%s with %zu KiB", each->name, margin >> 10);
    if (!expect(WIFEXITED(status), "ended by signal %d: %s", WTERMSIG(status), text))
      continue;
    const int end = WEXITSTATUS(status);
    expect(end == succeeded || end == was_refused, "%s: %s",
           end == was_wrong     ? "another refusal"
           : end == stays_wrong ? "refused without a limit"
                                : "failed",
           text);
    refused += end == was_refused;
    done += end == succeeded;
    if (end == succeeded)
      break;
  }
  begin_case("%s", each->name);
  expect(refused > 0, "never refused");
  expect(done > 0, "never done");
}

void check_limits(void) {
  begin_subject("limits of memory");
  for (const struct limit_case *each = limit_cases; each->name; each++)
    check_case(each);
}
