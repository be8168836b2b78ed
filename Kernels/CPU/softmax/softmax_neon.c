// The kernels of softmax_vector.h for NEON.
#if defined(__aarch64__)
#include "../shared/vector_neon.h"
#include "softmax_vector.h"
#endif
