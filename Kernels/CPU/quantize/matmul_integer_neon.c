// The kernels of matmul_integer.h for NEON.
#if defined(__aarch64__)
#include "../shared/vector_neon.h"
#include "matmul_integer.h"
#endif
