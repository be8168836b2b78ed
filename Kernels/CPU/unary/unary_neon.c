// The kernels of unary_vector.h for NEON.
#if defined(__aarch64__)
#include "../shared/vector_neon.h"
#include "unary_vector.h"
#endif
