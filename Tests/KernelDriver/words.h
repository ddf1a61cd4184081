// The words of each vocabulary, a file each: two vocabularies do not fit into one.

#ifndef KERNELDRIVER_WORDS_H
#define KERNELDRIVER_WORDS_H

#include "check.h"
#include "integers.h"
#include "memory.h"
#include "storage.h"
#include "values.h"

#include <float.h>
#include <math.h>
#include <string.h>

void check_words_scalar(void);
void check_words_avx2(void);
void check_words_avx512(void);
void check_words_avx512vnni(void);
void check_words_avx512bf16(void);
void check_words_neon(void);

#endif
