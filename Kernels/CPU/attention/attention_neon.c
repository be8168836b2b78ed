// attention with NEON; see attention_vector.h.
#include "problem.h"
#if defined(__aarch64__)
#include "../shared/blocks_neon.h"
#include "attention_vector.h"

const bp_cpu_kernel bp_cpu_attention_neon = {
  .op = "attention", .name = "attention_neon", .needs = BP_CPU_NEON, .supports = supports, .plan = plan, .run = run,
  .parameters = parameters, .n_parameters = PARAMETERS};
#endif
