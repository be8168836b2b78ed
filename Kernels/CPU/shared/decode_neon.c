// Decoding of rows with NEON.
#if defined(__aarch64__)
#include "blocks_neon.h"
#include "decode_vector.h"
#endif
