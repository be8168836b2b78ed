// The kernels of binary_vector.h for NEON.
#if defined(__aarch64__)
#include "../shared/vector_neon.h"
#include "binary_vector.h"
#endif
