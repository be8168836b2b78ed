// Decoding of rows with NEON.
#if defined(__aarch64__)
#include "blocks_neon.h"
#define decode_rest bp_cpu_decode_row
#include "decode_vector.h"
#endif
