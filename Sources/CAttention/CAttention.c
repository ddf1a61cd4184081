#include "CAttention.h"

#include <string.h>

// Swift has no thread-local variables, and an error must not allocate.
static _Thread_local char last_error[1024];

void CAttention_setLastError(const char *text) {
  size_t length = strlen(text);
  if (length >= sizeof last_error) {
    length = sizeof last_error - 1;
    // Not within a character of UTF-8.
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) length--;
  }
  memcpy(last_error, text, length);
  last_error[length] = 0;
}

const char *attention_version(void) { return ATTENTION_VERSION; }

const char *attention_last_error(void) { return last_error; }
