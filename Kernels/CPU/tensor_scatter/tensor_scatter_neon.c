// The kernels of tensor_scatter_vector.h for NEON.
#if defined(__aarch64__)
#include "../shared/vector_neon.h"
#include "tensor_scatter_vector.h"
#endif
