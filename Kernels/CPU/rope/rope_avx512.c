// The kernels of rope_vector.h for AVX512.
#if defined(__x86_64__)
#include "../shared/vector_avx512.h"
#include "rope_vector.h"
#endif
