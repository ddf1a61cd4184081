// Compares, counts, and says what failed.

#include "check.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// The table is a name, a few numbers, then functions: as many words. So that a new entry is missed where
// nothing checks it.
enum {
  words_in_table = sizeof(struct CAttentionKernels) / sizeof(void *),
  first_function = offsetof(struct CAttentionKernels, pack_panel_f32) / sizeof(void *)
};
_Static_assert(first_function == 6 && offsetof(struct CAttentionKernels, dots_bf16_pairs) == 5 * sizeof(void *),
               "one word of name, five of numbers (checked in panels.c), then functions");

// More than this many failures of one entry say nothing new.
enum { shown_at_most = 5 };

static struct {
  const char *set, *entry;
  char place[200];
  long long compared, failed, failed_in_entry;
  unsigned char is_checked[words_in_table];
} now;

void begin_set(kernel_set *set) {
  memset(&now, 0, sizeof now);
  now.set = set->name;
  begin_subject("table");
}

void begin_subject(const char *name) {
  if (!now.entry || strcmp(now.entry, name) != 0)
    now.failed_in_entry = 0;
  now.entry = name;
  begin_case("start");
}

void begin_entry(const char *name, size_t offset_in_table) {
  begin_subject(name);
  now.is_checked[offset_in_table / sizeof(void *)] = 1;
}

void begin_case(const char *format, ...) {
  int length = snprintf(now.place, sizeof now.place, "%s: %s: ", now.set, now.entry);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(now.place + length, sizeof now.place - (size_t)length, format, arguments);
  va_end(arguments);
}

const char *current_place(void) { return now.place; }

// Counts a comparison; whether its failure should be printed.
static int fails(int holds) {
  now.compared++;
  if (holds)
    return 0;
  now.failed++;
  return ++now.failed_in_entry <= shown_at_most;
}

void expect_equal_f32(ptrdiff_t index, float got, float expected) {
  if (fails(memcmp(&got, &expected, sizeof got) == 0 || (isnan(got) && isnan(expected))))
    printf("%s, at %td: got %a (%.9g), expected %a (%.9g)\n", now.place, index, got, got, expected, expected);
}

void expect_equal_f64(ptrdiff_t index, double got, double expected) {
  if (fails(memcmp(&got, &expected, sizeof got) == 0 || (isnan(got) && isnan(expected))))
    printf("%s, at %td: got %a (%.17g), expected %a (%.17g)\n", now.place, index, got, got, expected,
           expected);
}

static int is_within(long double got, long double expected, long double bound) {
  if (isnan(expected) || isnan(got))
    return isnan(expected) && isnan(got);
  return got == expected || fabsl(got - expected) <= bound;
}

void expect_within_f32(ptrdiff_t index, float got, double expected, double bound) {
  if (fails(is_within(got, expected, bound)))
    printf("%s, at %td: got %a (%.9g), expected %a (%.9g) within %.3g, is %.3g off\n", now.place, index, got,
           got, expected, expected, bound, fabs(got - expected));
}

// What is expected of double is computed in long double.
_Static_assert(LDBL_MANT_DIG > DBL_MANT_DIG, "long double has to be wider than double");

// It is no wider in valgrind, which computes it in the precision of double.
static int is_long_double_wider(void) {
  volatile long double one = 1, less = 0x1p-60L;
  return one + less != one;
}

// In valgrind `got` is compared, so that it notices numbers that nobody wrote, but no difference counts as a failure.
void expect_within_f64(ptrdiff_t index, double got, long double expected, long double bound) {
  if (fails(is_within(got, expected, bound) || !is_long_double_wider()))
    printf("%s, at %td: got %a (%.17g), expected %La (%.17Lg) within %.3Lg, is %.3Lg off\n", now.place, index,
           got, got, expected, expected, bound, fabsl(got - expected));
}

void expect_equal_integer(ptrdiff_t index, long long got, long long expected) {
  if (fails(got == expected))
    printf("%s, at %td: got %lld, expected %lld\n", now.place, index, got, expected);
}

void expect_equal_word(ptrdiff_t index, uint16_t got, uint16_t expected) {
  if (fails(got == expected))
    printf("%s, at %td: got 0x%04X, expected 0x%04X\n", now.place, index, got, expected);
}

struct tally end_set(void) {
  begin_subject("table");
  begin_case("entries that are checked, by their word in the table");
  int entries = 0;
  for (int i = first_function; i < words_in_table; i++) {
    expect_equal_integer(i, now.is_checked[i], 1);
    entries += now.is_checked[i];
  }
  return (struct tally){now.compared, now.failed, entries};
}

ptrdiff_t size_at(int index) {
  static const ptrdiff_t larger[sizes_count - 71] = {95, 96, 97, 127, 128, 129, 255, 256, 500, 1000};
  return index <= 70 ? index : larger[index - 71];
}
