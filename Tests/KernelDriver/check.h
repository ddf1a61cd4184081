// What every check of kernels shares: what is being checked, and what was expected.
//
// A check begins an entry of the table, then a case (sizes, strides, whatever leads to the same numbers
// again), runs the kernel and compares element by element. Only failures are printed: set, entry, case,
// index, got, expected.

#ifndef KERNELDRIVER_CHECK_H
#define KERNELDRIVER_CHECK_H

#include "CAttentionKernels.h"

#include <stddef.h>
#include <stdint.h>

typedef const struct CAttentionKernels kernel_set;

// The entry of `set` that is checked from here on: its function. main.c asks for every entry of the table to
// be checked.
#define BEGIN_ENTRY(set, entry) BEGIN_ENTRY_(set, entry)
#define BEGIN_ENTRY_(set, entry)                                                                             \
  (begin_entry(#entry, offsetof(struct CAttentionKernels, entry)), (set)->entry)

void begin_set(kernel_set *set);
void begin_entry(const char *name, size_t offset_in_table);
// The same for what is no entry of the table, by name only.
void begin_subject(const char *name);
// As printf; shows in the message of a failure.
void begin_case(const char *format, ...) __attribute__((format(printf, 1, 2)));

// The same bits, or NaN both.
void expect_equal_f32(ptrdiff_t index, float got, float expected);
void expect_equal_f64(ptrdiff_t index, double got, double expected);
// Not further off than `bound`; NaN where `expected` is, infinite where it is.
void expect_within_f32(ptrdiff_t index, float got, double expected, double bound);
void expect_within_f64(ptrdiff_t index, double got, long double expected, long double bound);
void expect_equal_integer(ptrdiff_t index, long long got, long long expected);
// The same pattern of 16 bits, shown in hexadecimal.
void expect_equal_word(ptrdiff_t index, uint16_t got, uint16_t expected);

// What came of a set since begin_set. An entry of the table that no check began is a failure, too.
struct tally {
  long long compared, failed;
  int entries;
};
struct tally end_set(void);

// Where the kernel that runs is, for who has to say where it crashed.
const char *current_place(void);

// 0 to 70, and some on both sides of what blocks of vectors divide.
enum { sizes_count = 81 };
ptrdiff_t size_at(int index);
#define FOR_EACH_SIZE(n)                                                                                     \
  for (ptrdiff_t n##_i = 0, n; n##_i < sizes_count && (n = size_at((int)n##_i), 1); n##_i++)

// The subjects, a file each.
void check_sets(kernel_set *set);
void check_words(kernel_set *set);
void check_rows(kernel_set *set);
void check_masks(kernel_set *set);
void check_loads(kernel_set *set);
void check_stores(kernel_set *set);
void check_exp(kernel_set *set);
void check_softcap(kernel_set *set);
void check_alibi(kernel_set *set);
void check_softmax(kernel_set *set);
void check_rotary(kernel_set *set);
void check_panels(kernel_set *set);
void check_mask_tiles(kernel_set *set);
void check_fused(kernel_set *set);
void check_streams(kernel_set *set);
void check_integer_streams(kernel_set *set);
void check_integer_scores(kernel_set *set);
void check_quantizers(kernel_set *set);
void check_planes(kernel_set *set);
void check_bounds(kernel_set *set);
void check_linear_pack(kernel_set *set);
void check_linear(kernel_set *set);
void check_layers(kernel_set *set);

#endif
