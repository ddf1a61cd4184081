// hammer SECONDS [THREADS]: the same problems on many threads at once, on the process's pool and on others,
// beside forks: every result the same bits as on one thread alone. Every 5 s a line: calls, mismatches,
// resident memory. Exits with 1 where anything differs or memory grows.

#include "check.h"
#include "problem.h"
#include "script.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { problem_count = 240, script_count = 60, shared_count = 6, most_work = 60000, most_threads = 1024 };

static struct problem *problems[problem_count];
static uint64_t problem_bits[problem_count], script_bits[script_count];
// Pools of 1 to 64 threads that all share.
static attention_threads *shared[shared_count];

static atomic_llong calls, mismatches, pools_made, forks;
static atomic_int is_over;
// Threads that have computed each problem, and have the scratch that they keep.
static atomic_long warm_threads;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

// Without what was freed: how much of that stays depends on which threads met.
static double resident_megabytes(void) {
  malloc_trim(0);
  FILE *file = fopen("/proc/self/statm", "r");
  unsigned long size = 0, resident = 0;
  if (!file || fscanf(file, "%lu %lu", &size, &resident) != 2)
    exit(2);
  fclose(file);
  return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static uint64_t compute(const struct problem *p, attention_threads *threads) {
  struct results results = make_results(p, dense, dense);
  // Problems are shared: the pool goes into a copy of the options.
  attention_options options = p->options;
  options.threads = threads;
  const attention_status status = CALL(attention_run)(&p->queries, &p->source.described, &options,
                                                      &results.output.tensor, &results.log_sum_exp.tensor);
  const uint64_t bits =
      status == ATTENTION_OK
          ? hash_elements(hash_elements(HASH_START, &results.output.tensor), &results.log_sum_exp.tensor)
          : 0;
  if (status != ATTENTION_OK)
    fprintf(stderr, "%s: %s\n", p->text, CALL(attention_last_error)());
  free_results(&results);
  return bits;
}

static void compare_problem(int64_t which, attention_threads *threads, const char *pool) {
  atomic_fetch_add(&calls, 1);
  if (compute(problems[which], threads) == problem_bits[which])
    return;
  atomic_fetch_add(&mismatches, 1);
  fprintf(stderr, "differs on %s: %s\n", pool, problems[which]->text);
}

static void compare_script(int64_t which, attention_threads *threads, const char *pool) {
  atomic_fetch_add(&calls, 1);
  if (run_script((uint64_t)which + 1, threads, 0, NULL) == script_bits[which])
    return;
  atomic_fetch_add(&mismatches, 1);
  fprintf(stderr, "differs on %s: script %lld\n", pool, (long long)which + 1);
}

static void compare_any(struct random *random, attention_threads *threads, const char *pool) {
  if (one_in(random, 8))
    compare_script(random_below(random, script_count), threads, pool);
  else
    compare_problem(random_below(random, problem_count), threads, pool);
}

// A pool of the thread's own, for a few calls.
static void use_new_pool(struct random *random) {
  attention_threads *threads = NULL;
  if (CALL(attention_threads_create)(random_from(random, 1, 8), &threads) != ATTENTION_OK) {
    atomic_fetch_add(&mismatches, 1);
    fprintf(stderr, "%s\n", CALL(attention_last_error)());
    return;
  }
  atomic_fetch_add(&pools_made, 1);
  for (int64_t i = random_from(random, 1, 4); i > 0; i--)
    compare_any(random, threads, "a pool of its own");
  CALL(attention_threads_destroy)(threads);
}

static void *work(void *number) {
  struct random random = {UINT64_C(1000) + (uint64_t)(intptr_t)number};
  for (int64_t i = 0; i < problem_count && !atomic_load(&is_over); i++) {
    const int64_t which = (i + (intptr_t)number) % problem_count;
    compare_problem(which, NULL, "the pool of the process");
    compare_problem(which, shared[(i + which) % shared_count], "a shared pool");
  }
  for (int64_t i = 0; i < script_count / 4 && !atomic_load(&is_over); i++)
    compare_script(random_below(&random, script_count), NULL, "the pool of the process");
  atomic_fetch_add(&warm_threads, 1);
  while (!atomic_load(&is_over)) {
    switch (random_below(&random, 8)) {
    case 0:
      use_new_pool(&random);
      break;
    case 1:
    case 2:
      compare_any(&random, shared[random_below(&random, shared_count)], "a shared pool");
      break;
    default:
      compare_any(&random, NULL, "the pool of the process");
    }
  }
  return NULL;
}

// A child while all threads are in calls: it computes on its own thread, and shares no cache.
static void fork_and_compare(struct random *random) {
  const uint64_t seed = random_bits(random);
  const pid_t child = fork();
  if (child == 0) {
    struct random own = {seed};
    const long long before = atomic_load(&mismatches);
    alarm(60);
    for (int i = 0; i < 12; i++)
      compare_any(&own, i % 3 ? NULL : shared[random_below(&own, shared_count)], "a child");
    _exit(atomic_load(&mismatches) != before);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
    atomic_fetch_add(&mismatches, 1);
    fprintf(stderr, "a child ended with status 0x%x\n", (unsigned)status);
  }
  atomic_fetch_add(&forks, 1);
}

static void compute_expected(void) {
  attention_threads *one = NULL;
  if (CALL(attention_threads_create)(1, &one) != ATTENTION_OK)
    exit(2);
  for (int i = 0; i < problem_count; i++) {
    problems[i] = draw_problem((uint64_t)i + 5000, most_work);
    problem_bits[i] = compute(problems[i], one);
  }
  for (int i = 0; i < script_count; i++)
    script_bits[i] = run_script((uint64_t)i + 1, one, 0, NULL);
  CALL(attention_threads_destroy)(one);
  for (int i = 0; i < shared_count; i++) {
    static const int64_t counts[shared_count] = {1, 2, 3, 7, 16, 64};
    if (CALL(attention_threads_create)(counts[i], &shared[i]) != ATTENTION_OK)
      exit(2);
  }
}

int main(int count, char **arguments) {
  const double seconds = count > 1 ? atof(arguments[1]) : 0;
  const long threads = count > 2 ? atol(arguments[2]) : 64;
  if (!(seconds > 0) || threads < 1 || threads > most_threads) {
    fprintf(stderr, "hammer SECONDS [THREADS]: seconds above 0, 1 to %d threads\n", most_threads);
    return 64;
  }
  // One arena a thread would go on growing for minutes without a leak.
  mallopt(M_ARENA_MAX, 2);
  compute_expected();
  static pthread_t workers[most_threads];
  const double start = now();
  for (long i = 0; i < threads; i++)
    if (pthread_create(&workers[i], NULL, work, (void *)(intptr_t)i)) {
      perror("hammer");
      return 2;
    }
  struct random random = {99};
  int is_ending = 0;
  // Threads that are in scripts at the moment hold some megabytes each: of the last tenth, the least counts.
  double settled = 0, megabytes = resident_megabytes(), next_line = start + 5;
  for (double time = start; time < start + seconds; time = now()) {
    const struct timespec pause = {0, 200000000};
    nanosleep(&pause, NULL);
    if (one_in(&random, 5))
      fork_and_compare(&random);
    if (settled == 0 && now() > start + seconds / 10 && atomic_load(&warm_threads) == threads)
      settled = resident_megabytes();
    if (now() > start + seconds * 0.9) {
      const double sample = resident_megabytes();
      megabytes = is_ending && megabytes < sample ? megabytes : sample;
      is_ending = 1;
    }
    if (now() > next_line) {
      fprintf(stderr, "%4.0f s: %lld calls, %lld pools, %lld forks, %lld differ, %.1f MB\n", now() - start,
              atomic_load(&calls), atomic_load(&pools_made), atomic_load(&forks), atomic_load(&mismatches),
              resident_megabytes());
      next_line += 5;
    }
  }
  atomic_store(&is_over, 1);
  for (long i = 0; i < threads; i++)
    pthread_join(workers[i], NULL);
  // Too short a run says nothing about memory, and says so.
  const int grows = settled > 0 && megabytes > 1.1 * settled + 32;
  printf("%.0f s on %ld threads: %lld calls, %lld pools, %lld forks, %lld differ, %lld scripts failed a "
         "check, %.1f MB then %.1f MB%s\n",
         now() - start, threads, atomic_load(&calls), atomic_load(&pools_made), atomic_load(&forks),
         atomic_load(&mismatches), failures(), settled, megabytes,
         settled == 0 ? ": too short to compare memory"
         : grows      ? ": memory grows"
                      : "");
  return atomic_load(&mismatches) != 0 || failures() != 0 || grows;
}
