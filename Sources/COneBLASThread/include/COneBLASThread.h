#pragma once

// An executable that links this target starts with an OpenBLAS of one thread. It has nothing to call.
//
// OpenBLAS makes a thread for each CPU when it is loaded, before `main`. Nothing here uses them (see BLASRuntime), and where memory is
// limited they do harm: what cannot be started is reported on stderr, and the process never ends, since OpenBLAS waits for it at exit.
// The environment variable OPENBLAS_NUM_THREADS is the one thing that OpenBLAS looks at before, so it has to be set before that.
//
// Why C: the code runs from .preinit_array, before the constructors of the libraries, Swift's runtime and OpenBLAS among them.
//
// What was tried and does not do: a constructor of the executable runs after those of its libraries, and one of another library
// before or after OpenBLAS's as the order of linking has it. In .preinit_array, setenv is undone by the C library's own constructor, which
// comes next. So the process starts itself anew with the variable set, once; that takes the time of linking it, some milliseconds.
//
// musl runs no .preinit_array: there OpenBLAS keeps its threads until the first product.
