// Which sets there are, and which one runs.

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// As Linux tells it.
static int has_amx_bf16(void) {
  FILE *file = fopen("/proc/cpuinfo", "r");
  char line[8192];
  int found = 0;
  while (file && !found && fgets(line, sizeof line, file))
    found = strncmp(line, "flags", 5) == 0 && strstr(line, " amx_bf16") != NULL;
  if (file)
    fclose(file);
  return found;
}

// A set has the entries of the set below it, but for those that it does better.
static void check_inheritance(kernel_set *set) {
  begin_subject("inheritance");
  if (strcmp(set->name, "avx512vnni") == 0) {
    begin_case("all but products of int16 with int8 are avx512's");
    struct CAttentionKernels vnni = *CAttentionKernels_named("avx512");
    expect_equal_integer(0, vnni.dot_products_from_i8 != set->dot_products_from_i8, 1);
    vnni.name = set->name;
    expect_equal_integer(2, vnni.linear_i8 != set->linear_i8, 1);
    vnni.dot_products_from_i8 = set->dot_products_from_i8;
    vnni.linear_i8 = set->linear_i8;
    expect_equal_integer(1, memcmp(&vnni, set, sizeof vnni), 0);
  }
  if (strcmp(set->name, "avx512bf16") != 0)
    return;
  begin_case("all but products of bf16 pairs are avx512vnni's");
  struct CAttentionKernels expected = *CAttentionKernels_named("avx512vnni");
  expect_equal_integer(0, expected.dots_bf16_pairs, 0);
  expect_equal_integer(1, expected.attend_block_bf16 != set->attend_block_bf16, 1);
  expected.name = set->name;
  expected.dots_bf16_pairs = 1;
  expected.attend_block_bf16 = set->attend_block_bf16;
  expected.attend_block_bf16_with_mass = set->attend_block_bf16_with_mass;
  expect_equal_integer(3, expected.linear_bf16 != set->linear_bf16, 1);
  expected.dot_products_from_bf16 = set->dot_products_from_bf16;
  expected.linear_bf16 = set->linear_bf16;
  expect_equal_integer(2, memcmp(&expected, set, sizeof expected), 0);
}

void check_sets(kernel_set *set) {
  begin_subject("CAttentionKernels_named");
  begin_case("the set's own name, and others");
  expect_equal_integer(0, CAttentionKernels_named(set->name) == set, 1);
  expect_equal_integer(1, CAttentionKernels_named("none such") == NULL, 1);
  begin_subject("CAttentionKernels_name");
  begin_case("first, last and past the end");
  int count = 0, found = 0;
  for (const char *name; (name = CAttentionKernels_name(count)); count++)
    found += strcmp(name, set->name) == 0;
  expect_equal_integer(0, strcmp(CAttentionKernels_name(0), "scalar"), 0);
  expect_equal_integer(1, found, 1);
  expect_equal_integer(2, CAttentionKernels_name(-1) == NULL && CAttentionKernels_name(count) == NULL, 1);
#if defined(__aarch64__)
  expect_equal_integer(3, strcmp(CAttentionKernels_name(count - 1), "neon"), 0);
#endif
  check_inheritance(set);
  begin_subject("CAttentionKernels_active");
  begin_case("the best set, or the one below it where its dot products are slow");
  if (!getenv("ATTENTION_KERNELS")) {
    const char *active = CAttentionKernels_active()->name, *best = CAttentionKernels_name(count - 1);
    const int is_below = strcmp(best, "avx512bf16") == 0 && strcmp(active, "avx512vnni") == 0 && has_amx_bf16();
    expect_equal_integer(0, strcmp(active, best) == 0 || is_below, 1);
  }
}
