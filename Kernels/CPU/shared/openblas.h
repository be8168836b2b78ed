// OpenBLAS, where the system has it: found at run time, never linked.
#ifndef BACKPLANE_CPU_OPENBLAS_H
#define BACKPLANE_CPU_OPENBLAS_H

/* cblas_sgemm with int sizes: layout 101 is rows, a transposition 111 no, 112 yes. Returns at once, on the calling thread. */
typedef void (*bp_sgemm_fn)(int layout, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int a_row,
                            const float *b, int b_row, float beta, float *c, int c_row);

/* Loads the library when first asked; NULL where there is none that this plugin may use. Thread-safe. */
bp_sgemm_fn bp_openblas_sgemm(void);
#endif
