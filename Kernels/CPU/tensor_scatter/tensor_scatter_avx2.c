// The kernels of tensor_scatter_vector.h for AVX2.
#if defined(__x86_64__)
#include "../shared/vector_avx2.h"
#include "tensor_scatter_vector.h"
#endif
