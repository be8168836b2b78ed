// The kernels of matmul_integer.h for AVX512.
#if defined(__x86_64__)
#include "../shared/vector_avx512.h"
#include "matmul_integer.h"
#endif
