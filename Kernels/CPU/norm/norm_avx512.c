// The kernels of norm_vector.h for AVX512.
#if defined(__x86_64__)
#include "../shared/vector_avx512.h"
#include "norm_vector.h"
#endif
