/* A compiled graph of the CPU plugin, and its execution: no allocation, no lock, everything that changes lies on the stack or in
 * the dispatch's workspace. The plugin builds the records, checks a dispatch, then runs it. */
#ifndef BACKPLANE_CPU_RUN_STEPS_H
#define BACKPLANE_CPU_RUN_STEPS_H
#include "cpu_kernels.h"

#define BP_CPU_MAX_SYMBOLS 64
#define BP_CPU_IN_WORKSPACE 0xffffffffu

/* What a bp_buffer handle of this plugin points to. */
typedef struct bp_cpu_buffer {
  char *data;
  uint64_t bytes;
  uint64_t owned_bytes; /* to be freed; 0 when imported */
  uint64_t align;
  uint32_t writable;
  uint32_t reserved0;
} bp_cpu_buffer;

typedef struct bp_cpu_tensor {
  bp_cpu_view view;              /* data NULL; extents at the symbols' upper bounds */
  uint32_t place;                /* number of the binding that holds it, or BP_CPU_IN_WORKSPACE */
  uint32_t align;                /* what its address must be a multiple of */
  uint64_t offset;               /* in the workspace */
  uint32_t symbolic;             /* 0: the view is final but for data */
  uint32_t computed_strides;     /* bit i: stride i is dense, computed from the extents further in */
  uint32_t symbol[BP_MAX_DIMS];  /* 1 + index into the program's symbols; 0 fixed */
} bp_cpu_tensor;

typedef struct bp_cpu_step {
  const bp_cpu_kernel *kernel;
  const bp_attr *attrs;
  uint32_t n_attrs, numerics, n_in, n_out;
  uint32_t in[BP_CPU_MAX_IN], out[BP_CPU_MAX_OUT]; /* tensors, or BP_NO_TENSOR */
  uint32_t node;                                   /* of a node's steps, which stand together, the first that holds is run */
  uint32_t symbol;                                 /* 1 + index: holds while this symbol is in [lo, hi]; 0: always */
  int64_t lo, hi;
  uint64_t scratch_offset, scratch_bytes; /* in the workspace, at the bounds */
  int64_t chosen[BP_CPU_MAX_PARAMETERS];  /* the kernel's parameters */
  uint32_t threads;                       /* most workers of a phase; 0 all */
  uint32_t chunk;                         /* percent of the planned grain; 0: 100 */
} bp_cpu_step;

typedef struct bp_cpu_symbol {
  uint32_t number, reserved0;
  int64_t minimum, maximum;
} bp_cpu_symbol;

typedef struct bp_cpu_bound { /* what binding i of a dispatch must be fit for */
  uint32_t tensor;
  uint32_t is_written;
  uint32_t same_as; /* the earlier binding of the same tensor (state), or BP_NO_TENSOR */
  uint32_t reserved0;
} bp_cpu_bound;

typedef struct bp_cpu_program {
  const bp_cpu_step *steps;
  const bp_cpu_tensor *tensors;
  const bp_cpu_symbol *symbols;
  const bp_cpu_bound *bounds;
  uint32_t n_steps, n_tensors, n_symbols, n_bounds;
  uint64_t workspace_bytes, workspace_align;
} bp_cpu_program;

/* One execution of a program. */
typedef struct bp_cpu_execution {
  const bp_cpu_program *program;
  const bp_dispatch *dispatch;
  const bp_host *host; /* every function set */
  void *cancel;        /* or NULL */
  uint64_t deadline_ns; /* 0 none */
  uint32_t workers, reserved0;
  char *workspace;
  int64_t symbols[BP_CPU_MAX_SYMBOLS]; /* values, in the program's order */
} bp_cpu_execution;

#define BP_CPU_FAULT_NONE 0u
#define BP_CPU_FAULT_BINDING_COUNT 1u /* limit: wanted, actual: given */
#define BP_CPU_FAULT_BINDING_STRIDE 2u /* records too small: limit, actual in bytes */
#define BP_CPU_FAULT_NO_BUFFER 3u     /* index: the binding */
#define BP_CPU_FAULT_RANGE 4u         /* the range leaves its buffer; limit: the buffer's bytes, actual: the range's end */
#define BP_CPU_FAULT_TOO_SMALL 5u     /* limit: bytes needed, actual: bytes bound */
#define BP_CPU_FAULT_ALIGN 6u         /* limit: the alignment, actual: the address modulo it */
#define BP_CPU_FAULT_READ_ONLY 7u
#define BP_CPU_FAULT_STATE_RANGE 8u   /* a state's output is bound elsewhere than its input; limit: that binding */
#define BP_CPU_FAULT_SYMBOL_MISSING 9u /* index: the symbol's number */
#define BP_CPU_FAULT_SYMBOL_BOUNDS 10u /* limit: the bound that is crossed */
#define BP_CPU_FAULT_WORKSPACE 11u    /* as NO_BUFFER, RANGE, TOO_SMALL for the workspace */
#define BP_CPU_FAULT_WORKSPACE_ALIGN 12u
#define BP_CPU_FAULT_SCRATCH 13u      /* a kernel's plan outgrew its bound: a bug of the kernel */

typedef struct bp_cpu_fault {
  uint32_t kind, index;
  uint32_t node_plus_1, reserved0;
  int64_t limit, actual;
} bp_cpu_fault;

/* Resolves symbols and checks every binding and the workspace; fills the execution. BP_OK or BP_E_INVALID. */
bp_status bp_cpu_check_dispatch(bp_cpu_execution *, bp_cpu_fault *);

/* Runs the steps of a checked execution. BP_OK, BP_E_CANCELLED, BP_E_TIMEOUT or BP_E_INTERNAL, with the node. */
bp_status bp_cpu_run_steps(const bp_cpu_execution *, bp_cpu_fault *);

/* The bytes from the first to the last element of a view; 0 when an extent is 0. */
uint64_t bp_cpu_span(const bp_cpu_view *);

/* Gives `view` the extents and strides of `tensor` under `values`. */
void bp_cpu_shape(bp_cpu_view *, const bp_cpu_tensor *, const int64_t *values);

/* What a binding points to; the binding must have been checked. */
char *bp_cpu_address(const bp_binding *);

#endif
