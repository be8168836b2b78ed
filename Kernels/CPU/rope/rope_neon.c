// The kernels of rope_vector.h for NEON.
#if defined(__aarch64__)
#include "../shared/vector_neon.h"
#include "rope_vector.h"
#endif
