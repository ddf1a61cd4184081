// What the C face keeps in C: the text of each thread's last error.
#ifndef C_ATTENTION_H
#define C_ATTENTION_H

#include "attention.h"

/// Sets what attention_last_error() returns on this thread. Texts of more than a kilobyte are cut.
void CAttention_setLastError(const char *text);

#endif
