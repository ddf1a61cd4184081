// Caches: random lives of them, each output held against the formula over plain arrays.

#include "check.h"
#include "script.h"

#include <stdio.h>
#include <unistd.h>

enum { scripts = 160 };

void check_caches(void) {
  begin_subject("caches");
  char path[64];
  snprintf(path, sizeof path, "/tmp/attention-cache-%d", (int)getpid());
  attention_threads *pool = NULL;
  if (!expect_ok(CALL(attention_threads_create)(3, &pool)))
    return;
  for (uint64_t seed = 1; seed <= scripts; seed++) {
    const uint64_t first = run_script(seed, NULL, 1, path);
    begin_case("seed %llu on three threads", (unsigned long long)seed);
    expect(run_script(seed, pool, 0, path) == first, "other bits than on the pool of the process");
  }
  CALL(attention_threads_destroy)(pool);
}
