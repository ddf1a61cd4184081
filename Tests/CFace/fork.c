// Children of fork(): with pools that worked before, and forked while other threads are in calls. They
// compute the same bits.

#include "check.h"
#include "problem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

// Half of the problems are in double: those go through BLAS, whose locks a child must not find taken.
enum { problem_count = 40, threads_in_calls = 4, children = 24 };

static struct problem *problems[problem_count];
static uint64_t expected[problem_count];
static atomic_int is_over;

static uint64_t bits_of(const struct problem *p, attention_threads *threads) {
  struct results results = make_results(p, dense, dense);
  attention_options options = p->options;
  options.threads = threads;
  const attention_status status = CALL(attention_run)(&p->queries, &p->source.described, &options,
                                                      &results.output.tensor, &results.log_sum_exp.tensor);
  const uint64_t bits =
      status ? 0
             : hash_elements(hash_elements(HASH_START, &results.output.tensor), &results.log_sum_exp.tensor);
  free_results(&results);
  return bits;
}

// What a child does: all problems, on both pools and on a new one.
static int compute_all(attention_threads *pool) {
  attention_threads *new_pool = NULL;
  if (CALL(attention_threads_create)(3, &new_pool) != ATTENTION_OK)
    return 2;
  for (int i = 0; i < problem_count; i++)
    if (bits_of(problems[i], NULL) != expected[i] || bits_of(problems[i], pool) != expected[i] ||
        bits_of(problems[i], new_pool) != expected[i])
      return 1;
  CALL(attention_threads_destroy)(new_pool);
  return 0;
}

static void fork_and_compute(attention_threads *pool, const char *when) {
  begin_case("a child forked %s", when);
  const pid_t child = fork();
  if (child == 0) {
    // One that waits for threads which it does not have must not wait for ever.
    alarm(30);
    _exit(compute_all(pool));
  }
  int status = 0;
  waitpid(child, &status, 0);
  expect(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
  expect(!WIFEXITED(status) || WEXITSTATUS(status) == 0, "%s",
         WEXITSTATUS(status) == 1 ? "other bits" : "no new pool");
}

static void *keep_calling(void *pool) {
  for (int i = 0; !atomic_load(&is_over); i = (i + 1) % problem_count)
    if (bits_of(problems[i], i % 3 ? pool : NULL) != expected[i])
      return pool;
  return NULL;
}

void check_fork(void) {
  begin_subject("fork");
  attention_threads *pool = NULL;
  if (!expect_ok(CALL(attention_threads_create)(4, &pool)))
    return;
  uint64_t seed = 900;
  for (int i = 0; i < problem_count; i++) {
    for (;;) {
      problems[i] = draw_problem(seed++, 60000);
      if (i % 2 || problems[i]->queries.tensor.type == ATTENTION_FLOAT64)
        break;
      free_problem(problems[i]);
    }
    expected[i] = bits_of(problems[i], NULL);
  }
  fork_and_compute(pool, "with warm pools");
  pthread_t threads[threads_in_calls];
  for (int i = 0; i < threads_in_calls; i++)
    if (pthread_create(&threads[i], NULL, keep_calling, pool))
      exit(2);
  for (int i = 0; i < children; i++)
    fork_and_compute(pool, "while threads are in calls");
  atomic_store(&is_over, 1);
  for (int i = 0; i < threads_in_calls; i++) {
    void *wrong;
    pthread_join(threads[i], &wrong);
    begin_case("a thread of the parent");
    expect(!wrong, "other bits while it forked");
  }
  // The parent's own pools go on.
  begin_case("the parent afterwards");
  expect(compute_all(pool) == 0, "other bits");
  CALL(attention_threads_destroy)(pool);
  for (int i = 0; i < problem_count; i++)
    free_problem(problems[i]);
}
