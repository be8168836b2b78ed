// The bodies that matmul and matmul_gated share.
#ifndef BACKPLANE_CPU_MATMUL_NEON_H
#define BACKPLANE_CPU_MATMUL_NEON_H
#include "problem.h"
void bp_matmul_plan_neon(const bp_cpu_call *call, bp_cpu_plan *plan, int gated);
void bp_matmul_run_neon(const bp_cpu_call *call, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker, int gated);
#endif
