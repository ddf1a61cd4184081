// CBLAS as OpenBLAS ships it. The header also declares the openblas_* run-time facts.
#include <cblas.h>
