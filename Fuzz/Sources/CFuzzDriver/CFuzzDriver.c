#include "CFuzzDriver.h"

// Of compiler-rt's libFuzzer, which has no header: https://llvm.org/docs/LibFuzzer.html#using-libfuzzer-as-a-library
extern int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*target)(const uint8_t *start, size_t count));

int CFuzzDriver_run(int argc, char **argv, int (*target)(const uint8_t *start, size_t count)) {
  return LLVMFuzzerRunDriver(&argc, &argv, target);
}
