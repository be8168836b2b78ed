// The kernels of unary_vector.h for AVX2.
#if defined(__x86_64__)
#include "../shared/vector_avx2.h"
#include "unary_vector.h"
#endif
