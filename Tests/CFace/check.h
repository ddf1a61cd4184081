// What every check shares: which function is being checked, and what was expected. Only failures are printed.

#ifndef CFACE_CHECK_H
#define CFACE_CHECK_H

#include "attention.h"

// A function of the headers, marked as called. main.c asks for every symbol that the library exports to be.
#define CALL(function) (mark_called(#function), function)
void mark_called(const char *name);

// What is checked from here on, and with which sizes: as printf; shows in the message of a failure.
void begin_subject(const char *name);
void begin_case(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *current_place(void);

// Counts a comparison; prints the text where it does not hold. Returns `holds`.
int expect(int holds, const char *format, ...) __attribute__((format(printf, 2, 3)));
// A success; the last error's text is shown otherwise.
int expect_ok(attention_status status);
// A refusal whose text starts with "argument:", or goes on with an index or a member.
int expect_refused(attention_status status, attention_status code, const char *argument);
// Not further off than `bound`; NaN where `expected` is, infinite where it is.
int expect_near(double got, double expected, double bound, const char *what, long long place);

// One line; whether anything failed, or an exported function was not called.
int end_checks(void);
// What has failed so far.
long long failures(void);

// The subjects, a file each.
void check_calls(void);
void check_arguments(void);
void check_edges(void);
void check_rotary(void);
void check_quantize(void);
void check_merge(void);
void check_describe(void);
void check_threads(void);
void check_caches(void);
void check_saved(void);
void check_errors(void);
void check_source_errors(void);
void check_function_errors(void);
void check_cache_errors(void);
void check_step_errors(void);
void check_limits(void);
void check_fork(void);

#endif
