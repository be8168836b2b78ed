// The kernels of softmax_vector.h for AVX512.
#if defined(__x86_64__)
#include "../shared/vector_avx512.h"
#include "softmax_vector.h"
#endif
