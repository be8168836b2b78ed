/* What this machine can do at most, measured: arithmetic from registers, and reading. The rates that kernels are compared with. */
#ifndef BACKPLANE_LIMITS_H
#define BACKPLANE_LIMITS_H
#include <stddef.h>
#include <stdint.h>

/* Instructions whose rate is measured. */
enum {
  BP_LIMIT_FMA_128,  /* f32 multiply-add in 128 bits (NEON) */
  BP_LIMIT_FMA_256,  /* ... AVX2 */
  BP_LIMIT_FMA_512,  /* ... AVX-512 */
  BP_LIMIT_INT8_256, /* sums of four 8-bit products, AVX-VNNI */
  BP_LIMIT_INT8_512, /* ... AVX-512 VNNI */
  BP_LIMIT_BF16_512, /* sums of two bf16 products, AVX-512 BF16 */
  BP_LIMIT_KINDS,
};

/* A name such as "f32 FMA, AVX-512". Static. */
const char *bp_limit_name(int kind);

/* 10^9 operations (a product and a sum are two) a second of `threads` threads together, the best of runs of about `seconds` in all. 0 where
 * the processor lacks the instructions or threads cannot be started. Starts and joins threads of its own; any thread may call. */
double bp_limit_rate(int kind, int threads, double seconds);

/* 10^9 bytes a second that `threads` threads together read from `bytes` bytes at p, each its share, over and over: the best pass of about
 * `seconds` in all. p needs no alignment and must be readable. */
double bp_limit_read(const void *p, size_t bytes, int threads, double seconds);

#endif
