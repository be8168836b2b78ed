// The kernels of matmul_integer.h for AVX2.
#if defined(__x86_64__)
#include "../shared/vector_avx2.h"
#include "matmul_integer.h"
#endif
