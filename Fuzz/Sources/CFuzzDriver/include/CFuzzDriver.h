// libFuzzer as a function. Its own `main` cannot be linked: SwiftPM makes the program's `main` of the executable's module.

#ifndef CFUZZDRIVER_H
#define CFUZZDRIVER_H

#include <stddef.h>
#include <stdint.h>

// Runs libFuzzer with a command line of its flags, and calls `target` with each input.
// Returns what the process is to exit with.
int CFuzzDriver_run(int argc, char **argv, int (*target)(const uint8_t *start, size_t count));

#endif
