// Calls that are right but for one thing, which must be refused by name.

#ifndef CFACE_ATTEMPTS_H
#define CFACE_ATTEMPTS_H

#include "check.h"
#include "rooms.h"

// A small call that succeeds: B 2, Hq 4, Hkv 2, Tq 3, Tk 5, D 8, Dv 6, in float32.
struct attempt {
  attention_queries queries;
  attention_key_values key_values;
  attention_options options;
  struct room q, k, v, output_room, log_sum_exp_room;
  attention_tensor output, log_sum_exp;
  int64_t query_lengths[2], key_lengths[2];
};
void make_attempt(struct attempt *attempt);
void free_attempt(struct attempt *attempt);

// Runs a call by what it was given; wrong ones write nothing.
typedef attention_status (*attempt_function)(void *context);
// The one that runs attention, on a struct attempt.
attention_status run_attempt(void *attempt);

// Each way in which one tensor of a call can be wrong by itself; the call succeeds before and after.
void refuse_bad_tensors(attention_tensor *tensor, const char *argument, attempt_function call, void *context);
// Of a result also strides that lead two elements to one place.
void refuse_overlaps(attention_tensor *tensor, const char *argument, attempt_function call, void *context);

// An attempt in which `change`s to `a` are refused with a text that names `argument`; nothing is written.
#define REFUSED(argument, change) REFUSED_AS(ATTENTION_INVALID_ARGUMENT, argument, change)
#define REFUSED_AS(code, argument, change)                                                                   \
  do {                                                                                                       \
    struct attempt a;                                                                                        \
    make_attempt(&a);                                                                                        \
    begin_case("%s", #change);                                                                               \
    change;                                                                                                  \
    refuse_run(&a, code, argument);                                                                          \
    free_attempt(&a);                                                                                        \
  } while (0)
void refuse_run(struct attempt *attempt, attention_status code, const char *argument);
// The attempt succeeds.
void expect_run(struct attempt *attempt);

#endif
