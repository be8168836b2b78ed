/* How the CPU plugin and its kernels meet.
 *
 * A kernel computes; it owns no memory, starts no threads, keeps no globals. The plugin chooses one at compile time
 * (`supports`), asks at each call how to cut the work (`plan`), and runs the pieces on the host's pool (`run`).
 * Kernels trust their arguments: the host has checked them against the operator's spec. */
#ifndef BACKPLANE_CPU_KERNELS_H
#define BACKPLANE_CPU_KERNELS_H
#include "backplane_plugin.h"

#define BP_CPU_MAX_IN 16
#define BP_CPU_MAX_OUT 4
#define BP_CPU_MAX_PHASES 24
#define BP_CPU_MAX_PARAMETERS 6
#define BP_CPU_MAX_VALUES 12

/* Instruction sets, as bits. A level that a user can force (cpu.isa) is a set of them. */
#define BP_CPU_AVX2 1u        /* AVX2, FMA, F16C, BMI */
#define BP_CPU_AVX512 2u      /* AVX-512 F, BW, VL, DQ */
#define BP_CPU_AVX512VNNI 4u  /* AVX-512 VNNI */
#define BP_CPU_AVX512BF16 8u  /* AVX-512 BF16 */
#define BP_CPU_AMX 16u        /* AMX tile, int8, bf16 */
#define BP_CPU_AVXVNNI 32u    /* AVX-VNNI (256 bit) */
#define BP_CPU_AMXMODEL 64u   /* none: AMX's tiles as a model in C, for tests; needs AVX2 */
#define BP_CPU_NEON 256u      /* Armv8 Advanced SIMD with half-precision conversion */
#define BP_CPU_DOTPROD 512u
#define BP_CPU_I8MM 1024u

/* A tensor with storage. At compile time `data` is NULL and extents are the symbols' upper bounds. */
typedef struct bp_cpu_view {
  uint64_t dtype; /* bp_id of the element format; 0 = this optional operand is absent */
  void *data;
  uint32_t rank;
  uint32_t block_elements, block_bytes; /* of the format; 1 and element size for plain formats */
  uint32_t is_const;                    /* a weight: bytes never change */
  int64_t extent[BP_MAX_DIMS];          /* elements, outermost first */
  int64_t stride[BP_MAX_DIMS];          /* bytes (of a block along the last dimension for block formats); may be 0 */
} bp_cpu_view;

/* One application of an operator. Operands and attributes stand in the spec's order, absent ones included. */
typedef struct bp_cpu_call {
  bp_cpu_view in[BP_CPU_MAX_IN];
  bp_cpu_view out[BP_CPU_MAX_OUT];
  uint32_t n_in, n_out;
  const bp_attr *attrs; /* all of the spec's, in its order; index constants in backplane_operators.h */
  uint32_t n_attrs;
  uint32_t workers;  /* most workers that run() may be called with */
  uint32_t numerics; /* BP_NUMERICS_… the caller demands */
  uint32_t reserved0;
  void *scratch; /* bp_cpu_plan.scratch_bytes bytes, 64-byte aligned; shared by all workers; NULL at compile time */
  int64_t chosen[BP_CPU_MAX_PARAMETERS]; /* values of the kernel's parameters, in its order; 0 = its standard */
} bp_cpu_call;

/* How one call is cut: phases run one after the other, the items of a phase in any order, in parallel. */
typedef struct bp_cpu_plan {
  uint32_t phases;                    /* 1 … BP_CPU_MAX_PHASES */
  uint32_t reserved0;
  uint64_t items[BP_CPU_MAX_PHASES];
  uint64_t grain[BP_CPU_MAX_PHASES];  /* fewest items worth a chunk; grain >= items means: stay on the calling thread */
  uint64_t scratch_bytes;             /* for all workers together; grows with extents */
} bp_cpu_plan;

/* Why a kernel cannot take a call; becomes the verdict. */
typedef struct bp_cpu_refusal {
  uint32_t reason;  /* BP_REASON_… */
  uint32_t operand; /* inputs, then outputs */
  int64_t limit, actual;
} bp_cpu_refusal;

/* A number of a kernel that the tuner may choose. A kernel reads it with bp_parameter (shared/call.h); one that other kernels call as
 * their part gets none, and uses the standard. Scratch must suffice for every choice with the same number. */
typedef struct bp_cpu_parameter {
  const char *name; /* lower snake case, such as "row_block"; keeps its meaning from version to version */
  int64_t standard; /* one of `values` */
  int64_t values[BP_CPU_MAX_VALUES]; /* what it may be: ascending, > 0, `count` of them */
  uint32_t count, reserved0;
} bp_cpu_parameter;

typedef struct bp_cpu_kernel {
  const char *op;   /* the operator's spec name */
  const char *name; /* the variant: <op>_<types>_<isa> */
  uint32_t needs;   /* BP_CPU_… bits, all of them */
  uint32_t act_block; /* declared: activations rounded to 8 bits per that many elements; 0 no */
  const char *operand_round; /* declared: "bf16", "f16" or NULL */
  const char *p_round;       /* declared for attention: "bf16", "f16" or NULL */
  /* 1 when this kernel takes the call (extents at their bounds, data NULL), else 0 and the refusal. */
  int (*supports)(const bp_cpu_call *, bp_cpu_refusal *);
  /* Pure and cheap: called before every run with the actual extents, and at compile time with the bounds. */
  void (*plan)(const bp_cpu_call *, bp_cpu_plan *);
  /* Items [begin, end) of a phase on worker `worker` (0 … workers-1). */
  void (*run)(const bp_cpu_call *, uint32_t phase, uint64_t begin, uint64_t end, uint32_t worker);
  /* What may be tuned, and a condition on it in the parameters' names ("rows * columns <= 64"); none: 0 and NULL. Beside these every
   * kernel has `threads` and `chunk`, which the step loop knows: most workers of a phase, and the grain in percent of what plan() says. */
  const bp_cpu_parameter *parameters;
  uint32_t n_parameters;
  uint32_t ftz; /* declared: 1 when subnormal factors and sums are taken as 0 */
  const char *constraint;
} bp_cpu_kernel;

/* Every kernel of this build, in the order of kernels.def: scalar first, of two that support a call the later one wins. */
const bp_cpu_kernel *const *bp_cpu_kernels(uint32_t *count);

/* Sets that are used only where the user asks for them. */
#define BP_CPU_ASKED (BP_CPU_AMX | BP_CPU_AMXMODEL)

/* BP_CPU_… bits that this processor and operating system can run; AMX after bp_cpu_want_amx only. Thread-safe. */
uint32_t bp_cpu_detect(void);

/* What of AMX is missing here, static text for people; NULL when nothing is. Asks the system for the right to use tiles, which the process keeps (its
 * signal frames grow by 8 KiB). Thread-safe. */
const char *bp_cpu_want_amx(void);

/* The processor's name, NUL-terminated, in 64 bytes at `name`; empty when it tells none. */
void bp_cpu_brand(char *name);

/* The bits of a level that a user can force: "scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16", "amx", "amxmodel",
 * "neon", "dotprod", "i8mm"; 0xffffffff for "auto" or an empty name; BP_CPU_UNKNOWN_ISA for any other. */
#define BP_CPU_UNKNOWN_ISA 0x80000000u
uint32_t bp_cpu_isa_bits(const char *name, uint64_t length);

#endif
