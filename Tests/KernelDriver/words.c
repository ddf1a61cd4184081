// Which words belong to a set.

#include "words.h"

void check_words(kernel_set *set) {
  static const struct {
    const char *name;
    void (*check)(void);
  } vocabularies[] = {
      {"scalar", check_words_scalar},
#if defined(__x86_64__)
      {"avx2", check_words_avx2},
      {"avx512", check_words_avx512},
      {"avx512vnni", check_words_avx512vnni},
      {"avx512bf16", check_words_avx512bf16},
#elif defined(__aarch64__)
      {"neon", check_words_neon},
#endif
  };
  int checked = 0;
  for (size_t i = 0; i < sizeof vocabularies / sizeof *vocabularies; i++) {
    if (strcmp(vocabularies[i].name, set->name) == 0) {
      vocabularies[i].check();
      checked++;
    }
  }
  begin_subject("vocabulary");
  expect_equal_integer(0, checked, 1);
}
