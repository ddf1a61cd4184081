// Compares, counts, and says what failed.

#include "check.h"

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// What the library exports, from `nm`: exports.h is made by the Makefile.
static const char *const exported[] = {
#include "exports.h"
};
enum { exported_count = sizeof exported / sizeof *exported };

// More than this many failures of one subject say nothing new.
enum { shown_at_most = 12 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  const char *subject;
  char place[300];
  long long compared, failed, failed_in_subject;
  unsigned char is_called[exported_count];
} now;

void mark_called(const char *name) {
  for (int i = 0; i < exported_count; i++)
    if (strcmp(exported[i], name) == 0)
      __atomic_store_n(&now.is_called[i], 1, __ATOMIC_RELAXED);
}

void begin_subject(const char *name) {
  now.subject = name;
  now.failed_in_subject = 0;
  begin_case("start");
}

void begin_case(const char *format, ...) {
  int length = snprintf(now.place, sizeof now.place, "%s: ", now.subject);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(now.place + length, sizeof now.place - (size_t)length, format, arguments);
  va_end(arguments);
}

const char *current_place(void) { return now.place; }

static int expect_text(int holds, const char *text) {
  // A lock for failures alone: a child of fork() may find it held.
  __atomic_fetch_add(&now.compared, 1, __ATOMIC_RELAXED);
  if (holds)
    return 1;
  pthread_mutex_lock(&lock);
  now.failed++;
  if (++now.failed_in_subject <= shown_at_most)
    printf("%s: %s\n", now.place, text);
  pthread_mutex_unlock(&lock);
  return 0;
}

int expect(int holds, const char *format, ...) {
  char text[400] = "";
  if (!holds) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
  }
  return expect_text(holds, text);
}

int expect_ok(attention_status status) {
  return expect(status == ATTENTION_OK, "status %d, expected 0: %s", status, CALL(attention_last_error)());
}

int expect_refused(attention_status status, attention_status code, const char *argument) {
  const char *text = CALL(attention_last_error)();
  if (!expect(status == code, "status %d, expected %d for %s; last error: %s", status, code, argument, text))
    return 0;
  const size_t length = strlen(argument);
  return expect(strncmp(text, argument, length) == 0 && strchr(":[.", text[length]) && text[length],
                "the text \"%s\", expected it to name %s", text, argument);
}

int expect_near(double got, double expected, double bound, const char *what, long long place) {
  const int holds = isnan(expected) ? isnan(got) : got == expected || fabs(got - expected) <= bound;
  return expect(holds, "%s at %lld: got %.9g, expected %.9g within %.3g, is %.3g off", what, place, got,
                expected, bound, fabs(got - expected));
}

long long failures(void) { return now.failed; }

int end_checks(void) {
  begin_subject("exported functions");
  begin_case("called by a check");
  for (int i = 0; i < exported_count; i++)
    expect(now.is_called[i], "no check calls %s", exported[i]);
  printf("%d functions, %lld comparisons, %lld failed\n", exported_count, now.compared, now.failed);
  return now.failed != 0;
}
