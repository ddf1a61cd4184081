// Calls that take much memory.

#ifndef CFACE_LIMIT_CASES_H
#define CFACE_LIMIT_CASES_H

#include "attention.h"

struct limit_case {
  const char *name;
  // Operands, made before there is a limit.
  void *(*prepare)(void);
  // May run again where it was refused.
  attention_status (*call)(void *operands);
};
// The last one has no name.
extern const struct limit_case limit_cases[];

#endif
