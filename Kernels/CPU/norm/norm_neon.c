// The kernels of norm_vector.h for NEON.
#if defined(__aarch64__)
#include "../shared/vector_neon.h"
#include "norm_vector.h"
#endif
