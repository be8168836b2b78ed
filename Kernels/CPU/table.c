// The table of all kernels, made from kernels.def.
#include "cpu_kernels.h"

#define BP_KERNEL(op, variant) extern const bp_cpu_kernel bp_cpu_##variant;
#include "kernels.def"
#undef BP_KERNEL

static const bp_cpu_kernel *const table[] = {
#define BP_KERNEL(op, variant) &bp_cpu_##variant,
#include "kernels.def"
#undef BP_KERNEL
    0,
};

const bp_cpu_kernel *const *bp_cpu_kernels(uint32_t *count) {
  *count = (uint32_t)(sizeof table / sizeof *table) - 1;
  return table;
}
