// The C interface to LAPACK, row-major layouts included.
#include <lapacke.h>
