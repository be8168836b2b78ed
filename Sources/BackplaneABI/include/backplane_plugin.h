/* backplane_plugin.h - the stable C ABI between Backplane (the host) and separately built hardware backends (plugins).
 *
 * C11, C++11 and Swift-importable; needs only <stddef.h> and <stdint.h>. The rules behind it are in Specs/abi.md.
 *
 * House rules, checked by ABITests: every struct starts with bp_head, except the frozen bp_head, bp_str, bp_span and
 * bp_array. A struct with a head is never embedded by value (it could not grow): it is pointed to, or stands in a
 * bp_array whose stride is its producer's size. No bool, enum, long, size_t, bit-field, union, flexible array, varargs or
 * function-like macro; all padding explicit; zero is always the default meaning; 64-bit little-endian targets only.
 *
 * Units: sizes, strides, offsets, alignments are bytes; extents and counts are elements; times are nanoseconds.
 * Ownership: data passed in is valid for the call only; data that a function returns in an out-struct (strings, arrays)
 * lives as long as the object it was asked of. Errors are caller-allocated and always optional (NULL).
 * Reading an input struct: read struct_size bytes at most, take what is missing as zero. Writing an output struct: the
 * caller sets h.struct_size, the callee writes at most that. Never demand equality. An unknown struct in a `next` chain is
 * skipped when bit 31 of its struct_type is clear, else the call answers BP_E_UNSUPPORTED.
 */
#ifndef BACKPLANE_PLUGIN_H
#define BACKPLANE_PLUGIN_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#if defined(_WIN32)
#define BP_EXPORT __declspec(dllexport)
#else
#define BP_EXPORT __attribute__((visibility("default")))
#endif
#if defined(__clang__) && defined(__swift__)
#define BP_SENDABLE __attribute__((swift_attr("@Sendable")))
#else
#define BP_SENDABLE
#endif

#define BP_ABI_1_0 0x00010000u /* major << 16 | minor */
#define BP_ABI_THIS BP_ABI_1_0
/* Hash of record layouts, signatures and registry numbers of ABI 1.0, packing left out. Recomputed by ABITests. */
#define BP_ABI_LAYOUT_HASH_1_0 0xeb6830075f989d12ull
#define BP_MAX_DIMS 8
#define BP_NO_TENSOR 0xffffffffu /* an optional operand that is absent */

/* BEGIN registry (generated from Specs/abi/registry.json and reasons.json by `backplane generate`) */
#define BP_OK 0 /* Done. */
#define BP_WOULD_BLOCK 1 /* Soft: the queue is full; submit again after a semaphore has moved. */
#define BP_MORE 2 /* Soft: the caller's array was too small; the needed count was written. */
#define BP_E_INVALID (-1) /* An argument breaks the contract of the call. */
#define BP_E_UNSUPPORTED (-2) /* A legal request that this plugin does not serve; bp_error.reason says why. */
#define BP_E_OOM_HOST (-3) /* Host memory could not be had. */
#define BP_E_OOM_DEVICE (-4) /* Device memory could not be had. */
#define BP_E_DEVICE_LOST (-5) /* The device is gone or was reset; its children are dead. */
#define BP_E_TIMEOUT (-6) /* The time limit passed first. */
#define BP_E_CANCELLED (-7) /* The caller's cancel token was set. */
#define BP_E_STALE_BLOB (-8) /* A compiled blob does not fit this build, driver or device. */
#define BP_E_DRIVER (-9) /* The driver failed; domain and native_code carry its code. */
#define BP_E_INTERNAL (-10) /* A bug of the plugin. */
#define BP_E_ABI (-11) /* The two sides disagree about the ABI. */
#define BP_E_POISONED (-12) /* The semaphore was failed earlier; the first failure is in the error. */
#define BP_REASON_NONE 0u /* no reason given */
#define BP_REASON_OP_UNKNOWN 1u /* the operator is not implemented */
#define BP_REASON_OP_VERSION 2u /* the operator's version is newer than the plugin knows */
#define BP_REASON_DTYPE 3u /* the operand's format is not supported here */
#define BP_REASON_LAYOUT 4u /* the operand's layout or strides are not supported */
#define BP_REASON_RANK 5u /* the operand's rank is outside the supported range */
#define BP_REASON_DIM_TOO_LARGE 6u /* an extent exceeds the device's limit */
#define BP_REASON_DIM_MULTIPLE 7u /* an extent is not a multiple of what the kernel needs */
#define BP_REASON_ALIGN 8u /* an address or stride is not aligned enough */
#define BP_REASON_DYNAMIC_DIM 9u /* a symbolic dimension where only a fixed one is supported */
#define BP_REASON_ATTRIBUTE 10u /* the attribute's value is not supported */
#define BP_REASON_ISA 11u /* the processor lacks an instruction set that is needed */
#define BP_REASON_FEATURE 12u /* the device lacks a feature that is needed */
#define BP_REASON_WORKGROUP_MEMORY 13u /* the kernel needs more work-group memory than there is */
#define BP_REASON_MEMORY 14u /* the device's memory is too small */
#define BP_REASON_QUIRK 15u /* a known driver fault is avoided */
#define BP_REASON_NUMERICS 16u /* the demanded numerics cannot be kept */
#define BP_REASON_DISABLED 17u /* switched off by a setting */
#define BP_REASON_OPERAND_MISSING 18u /* an operand that this kernel needs is absent */
#define BP_REASON_OPERAND_UNEXPECTED 19u /* an optional operand that this kernel cannot take is present */
#define BP_REASON_SHAPE 20u /* the operands' shapes do not fit together */
#define BP_REASON_GRAPH_LIMIT 21u /* the graph as a whole exceeds a limit of the device */
#define BP_REASON_WEIGHTS_NOT_CONST 22u /* the operand must be a constant here */
#define BP_ST_NONE 0u
#define BP_ST_ERROR 1u
#define BP_ST_HOST 2u
#define BP_ST_TENSOR 3u
#define BP_ST_ATTR 4u
#define BP_ST_SYMBOL_VALUE 5u
#define BP_ST_NODE 6u
#define BP_ST_GRAPH 7u
#define BP_ST_MEMORY_TYPE 8u
#define BP_ST_DEVICE_INFO 9u
#define BP_ST_BUFFER_DESC 10u
#define BP_ST_BUFFER_INFO 11u
#define BP_ST_LINK 12u
#define BP_ST_VERDICT 13u
#define BP_ST_PARAM 14u
#define BP_ST_VARIANT 15u
#define BP_ST_CONFIG 16u
#define BP_ST_PACK_PLAN 17u
#define BP_ST_COMPILE 18u
#define BP_ST_PROGRAM_INFO 19u
#define BP_ST_ALIAS 20u
#define BP_ST_PLACEMENT 21u
#define BP_ST_TIMESTAMP 22u
#define BP_ST_BINDING 23u
#define BP_ST_SEM_POINT 24u
#define BP_ST_DISPATCH 25u
#define BP_ST_COPY 26u
#define BP_ST_SUBMISSION 27u
#define BP_ST_CLOCK 28u
#define BP_ST_DEVICE_FNS 29u
#define BP_ST_PLUGIN 30u
#define BP_TENSOR_CONST 1u
#define BP_TENSOR_INPUT 2u
#define BP_TENSOR_OUTPUT 4u
#define BP_TENSOR_STATE 8u
#define BP_TENSOR_DYNAMIC 16u
#define BP_MEMORY_DEVICE_LOCAL 1u
#define BP_MEMORY_HOST_VISIBLE 2u
#define BP_MEMORY_COHERENT 4u
#define BP_MEMORY_CACHED 8u
#define BP_MEMORY_UNIFIED 16u
#define BP_MEMORY_IMPORT_HOST 32u
#define BP_MEMORY_IMPORT_FD 64u
#define BP_MEMORY_EXPORT_FD 128u
#define BP_MEMORY_READONLY_OK 256u
#define BP_GROUP_BASE 1u
#define BP_GROUP_QUEUES 2u
#define BP_GROUP_BLOBS 4u
#define BP_GROUP_TUNING 8u
#define BP_ACCESS_READ 1u
#define BP_ACCESS_WRITE 2u
#define BP_ACCESS_ALLOW_COPY 4u
#define BP_USAGE_INPUT 1u
#define BP_USAGE_OUTPUT 2u
#define BP_USAGE_WEIGHTS 4u
#define BP_USAGE_STATE 8u
#define BP_USAGE_WORKSPACE 16u
#define BP_USAGE_STAGING 32u
#define BP_PACK_STREAMABLE 1u
#define BP_PACK_IN_PLACE 2u
#define BP_PACK_SOURCE_FREE_AFTER 4u
#define BP_PACK_SHAREABLE 8u
#define BP_AFFECTS_RESULT 1u
#define BP_AFFECTS_MEMORY 2u
#define BP_AFFECTS_BUILD 4u
#define BP_PLUGIN_DEBUG_BUILD 1u
#define BP_PLUGIN_OWN_THREADS 2u
#define BP_KIND_OTHER 0u
#define BP_KIND_CPU 1u
#define BP_KIND_GPU 2u
#define BP_KIND_NPU 3u
#define BP_KIND_DSP 4u
#define BP_KIND_FPGA 5u
#define BP_KIND_REFERENCE 6u
#define BP_SUPPORT_NO 0u
#define BP_SUPPORT_YES 1u
#define BP_SUPPORT_AFTER_REPACK 2u
#define BP_SUPPORT_EMULATED 3u
#define BP_NUMERICS_STANDARD 0u
#define BP_NUMERICS_STRICT 1u
#define BP_NUMERICS_FAST 2u
#define BP_ATTR_I64 0u
#define BP_ATTR_F64 1u
#define BP_ATTR_STR 2u
#define BP_ATTR_I64S 3u
#define BP_ATTR_F64S 4u
#define BP_PARAM_NUMBER 0u
#define BP_PARAM_CHOICE 1u
#define BP_PARAM_SWITCH 2u
#define BP_SOURCE_ALLOCATE 0u
#define BP_SOURCE_HOST_POINTER 1u
#define BP_SOURCE_FD 2u
#define BP_SOURCE_NATIVE 3u
#define BP_LINK_NATIVE 0u
#define BP_LINK_IMPORT 1u
#define BP_LINK_COPY 2u
#define BP_LINK_NONE 3u
#define BP_LOG_ERROR 0u
#define BP_LOG_WARNING 1u
#define BP_LOG_INFO 2u
#define BP_LOG_DEBUG 3u
#define BP_LOG_TRACE 4u
#define BP_STORE_BLOB 0u
#define BP_STORE_TUNING 1u
#define BP_HEALTH_HEALTHY 0u
#define BP_HEALTH_DEGRADED 1u
#define BP_HEALTH_LOST_RECOVERABLE 2u
#define BP_HEALTH_LOST_PERMANENT 3u
#define BP_RETRY_NEVER 0u
#define BP_RETRY_SAME_CALL 1u
#define BP_RETRY_AFTER_FREEING_MEMORY 2u
#define BP_RETRY_AFTER_RESET 3u
/* END registry */

/* ---- 0. common -------------------------------------------------------------------------------------------------- */

typedef struct bp_head { /* frozen */
  uint32_t struct_size;       /* sizeof of the producer's struct */
  uint32_t struct_type;       /* BP_ST_…; bit 31: must be understood */
  const struct bp_head *next; /* extension chain or NULL */
} bp_head;
typedef struct bp_str { /* frozen; UTF-8, not NUL-terminated */
  const char *ptr;
  uint64_t len;
} bp_str;
typedef struct bp_span { /* frozen */
  const void *ptr;
  uint64_t len;
} bp_span;
typedef struct bp_array { /* frozen; element i is at (const char *)ptr + i * stride */
  const void *ptr;
  uint32_t count;
  uint32_t stride;
} bp_array;
typedef int32_t bp_status; /* 0 done; < 0 error; > 0 soft result */
typedef uint64_t bp_id;    /* FNV-1a-64 of a name (operator, format, layout, attribute, counter): a compile-time constant that
                              can be switched on and stored; the generator checks that no two names collide */
typedef struct bp_instance_s *bp_instance;
typedef struct bp_device_s *bp_device;
typedef struct bp_buffer_s *bp_buffer;
typedef struct bp_queue_s *bp_queue;
typedef struct bp_sem_s *bp_sem;
typedef struct bp_program_s *bp_program;

typedef struct bp_error { /* caller-allocated; never freed across the boundary, so it works when memory is out */
  bp_head h;
  int32_t code;    /* the bp_status that is returned too */
  uint32_t domain; /* of native_code: 0 Backplane, 1 errno, 2 OpenCL, 3 Vulkan, 0x100 and up: the vendor's */
  int64_t native_code;
  uint32_t device_state; /* BP_HEALTH_… */
  uint32_t retry;        /* BP_RETRY_… */
  uint32_t node_plus_1, operand_plus_1; /* 0 = not about one node / operand; operands count inputs, then outputs */
  uint32_t reason;                      /* BP_REASON_… */
  uint32_t src_line;                    /* in src_file; 0 unknown */
  char src_file[64];                    /* bare file name, never a build path; NUL-terminated */
  char message[352]; /* NUL-terminated UTF-8, cut where it does not fit; never the only carrier of facts */
} bp_error;

/* ---- 1. host services: all that a plugin may call back ------------------------------------------------------------ */

/* One chunk [begin, end) of a parallel loop, run by worker `worker` (0 … worker_count-1). */
typedef void (*bp_range_fn)(void *ctx, uint64_t begin, uint64_t end, uint32_t worker);
typedef void (*bp_task_fn)(void *ctx);

/* Every function is thread-safe and may be called only from inside a call of the plugin or a pool task. The table lives
 * as long as the process. Pass `ctx` back as the first argument. Missing functions are NULL or beyond struct_size. */
typedef struct bp_host {
  bp_head h;
  uint32_t abi_min, abi_max;
  uint32_t abi_negotiated; /* the version both sides use from here on */
  uint32_t reserved0;
  void *ctx;
  /* `bytes` of host memory aligned to `align` (power of two), NULL when out of memory. `tag` names the owner for budgets and
   * leak checks (free choice). The plugin owns it until free() with the same bytes, align and tag. */
  void *(*alloc)(void *ctx, uint64_t bytes, uint64_t align, uint32_t tag);
  void (*free)(void *ctx, void *p, uint64_t bytes, uint64_t align, uint32_t tag);
  /* Cheap test before a message is built: 1 when `level` (BP_LOG_…) of `category` is wanted. */
  uint32_t (*log_enabled)(void *ctx, uint32_t level, bp_str category);
  /* One structured message; `fields` is an array of bp_attr or NULL. */
  void (*log)(void *ctx, uint32_t level, bp_str category, bp_str message, const bp_array *fields);
  /* Workers of a pool class (0 = compute), the calling thread included; fixed for the life of an instance. */
  uint32_t (*worker_count)(void *ctx, uint32_t pool_class);
  /* Runs fn over [0, n) in chunks of at least `grain`, on the pool and the calling thread (worker 0), and returns when every
   * item is done. Nested calls run inline. BP_OK or BP_E_CANCELLED. */
  bp_status (*parallel_for)(void *ctx, uint64_t n, uint64_t grain, BP_SENDABLE bp_range_fn fn, void *fn_ctx, uint32_t flags);
  /* Queues one task to the pool and returns. */
  bp_status (*post)(void *ctx, BP_SENDABLE bp_task_fn fn, void *fn_ctx, uint32_t priority);
  /* The name behind an id, for messages only; BP_E_INVALID when the host does not know it. */
  bp_status (*name_of)(void *ctx, bp_id id, bp_str *out);
  /* Blob and tuning stores (BP_STORE_…): the host owns files, locks, eviction and atomicity; the plugin owns what is in a key.
   * get maps the value until unpin; BP_E_UNSUPPORTED when there is no store, BP_E_INVALID when the key is absent. */
  bp_status (*store_get)(void *ctx, uint32_t store, bp_span key, bp_span *out_mapped, void **out_pin);
  bp_status (*store_put)(void *ctx, uint32_t store, bp_span key, bp_span value, uint32_t flags);
  void (*store_unpin)(void *ctx, void *pin);
  /* 1 when the token (of bp_compile or bp_submission) was cancelled. */
  uint32_t (*cancelled)(void *ctx, void *cancel_token);
  uint64_t (*now_ns)(void *ctx); /* monotone host clock */
  /* Called once when a device is lost or degraded. */
  void (*report_fault)(void *ctx, bp_device dev, const bp_error *err);
  /* A setting such as "cpu.isa"; BP_E_INVALID when it is not set. Plugins read no environment variables. The string lives as
   * long as the process. */
  bp_status (*config_get)(void *ctx, bp_str key, bp_str *out);
} bp_host;

/* ---- 2. tensors and graphs ------------------------------------------------------------------------------------------ */

typedef struct bp_tensor { /* a description: no storage pointer, no host-internal field */
  bp_head h;
  bp_id dtype;  /* element format, "f16", "q4_0" … */
  bp_id layout; /* "strided", or a packed layout's name */
  uint32_t rank;
  uint32_t flags;              /* BP_TENSOR_… */
  int64_t dim[BP_MAX_DIMS];    /* extents in elements, outermost first; -1 where a symbol supplies it */
  int64_t stride[BP_MAX_DIMS]; /* bytes; of a block for block formats; 0 broadcasts. With a symbolic extent further in, the
                                  stride of an outer dimension is -1: dense, computed from the symbol's value */
  int64_t dim_min[BP_MAX_DIMS]; /* bounds of symbolic extents; equal to dim where fixed */
  int64_t dim_max[BP_MAX_DIMS];
  uint32_t symbol[BP_MAX_DIMS]; /* 0 = fixed; else a symbol's number: same number, same value at run time. No expressions
                                   cross: the host evaluates relations (kv = past + tokens) and passes every value */
  uint64_t value_hash;          /* of a CONST's bytes; 0 unknown */
} bp_tensor;

typedef struct bp_attr {
  bp_head h;
  bp_id name;
  uint32_t kind;    /* BP_ATTR_… */
  uint32_t count;   /* of data: elements of a list, bytes of a string */
  int64_t i;        /* BP_ATTR_I64 */
  double f;         /* BP_ATTR_F64 */
  const void *data; /* BP_ATTR_STR char[count], I64S int64_t[count], F64S double[count] */
} bp_attr;

typedef struct bp_symbol_value {
  bp_head h;
  uint32_t symbol; /* number, 1 and up */
  uint32_t reserved0;
  int64_t value; /* within the bounds given at compile time: the host has checked */
} bp_symbol_value;

typedef struct bp_node {
  bp_head h;
  bp_id op;
  uint32_t op_version;
  uint32_t flags;
  const uint32_t *in;  /* n_in tensor numbers, BP_NO_TENSOR for an absent optional operand */
  const uint32_t *out; /* n_out tensor numbers, BP_NO_TENSOR for an output nobody wants */
  uint32_t n_in, n_out;
  bp_array attrs; /* bp_attr: every attribute of the spec, defaults included, in the spec's order; backplane_operators.h
                     (generated) has the index constants */
  uint32_t numerics; /* BP_NUMERICS_… demanded by the caller */
  uint32_t reserved0;
} bp_node;

/* Topologically ordered; immutable during the call. CONST and STATE tensors are graph inputs; a STATE tensor that is written is
 * an output too, bound to the same range. Tensors that are neither input nor output live in the workspace. */
typedef struct bp_graph {
  bp_head h;
  bp_array tensors; /* bp_tensor */
  bp_array nodes;   /* bp_node */
  const uint32_t *inputs, *outputs; /* tensor numbers */
  uint32_t n_inputs, n_outputs;
  uint64_t structure_hash;
} bp_graph;

/* ---- 3. devices and memory ------------------------------------------------------------------------------------------ */

typedef struct bp_memory_type {
  bp_head h;
  uint32_t index;
  uint32_t flags; /* BP_MEMORY_… */
  uint64_t align, granularity, max_alloc, total, budget, in_use; /* bytes; 0 unknown */
} bp_memory_type;

typedef struct bp_device_info {
  bp_head h;
  uint32_t kind; /* BP_KIND_… */
  uint32_t index;
  bp_str name, vendor, driver, driver_version;
  uint8_t uuid[16]; /* the same device through another API has the same uuid; zero unknown */
  bp_str bus_id;
  uint64_t caps;
  uint32_t groups; /* BP_GROUP_… that this device serves */
  uint32_t n_queues;
  bp_array memory_types; /* bp_memory_type */
  uint64_t timestamp_hz;
  uint64_t caps_epoch; /* changes when an answer of query could change */
  bp_array props;      /* bp_attr, e.g. "isa" = "avx2", "clock_mhz" = 2600 */
} bp_device_info;

typedef struct bp_buffer_desc {
  bp_head h;
  uint32_t memory_type;
  uint32_t usage; /* BP_USAGE_… */
  uint64_t bytes, align;
  uint32_t source; /* BP_SOURCE_…: allocate, or import without copying (an import that cannot be is refused, never copied
                      quietly, unless access has BP_ACCESS_ALLOW_COPY) */
  uint32_t reserved0;
  void *host_ptr; /* BP_SOURCE_HOST_POINTER: stays valid until buffer_destroy; read-only unless access has WRITE */
  int64_t fd;     /* BP_SOURCE_FD: the caller keeps ownership */
  uint64_t fd_offset;
  uint32_t access; /* BP_ACCESS_… */
  uint32_t reserved1;
} bp_buffer_desc;

typedef struct bp_buffer_info {
  bp_head h;
  uint64_t bytes;
  uint64_t actual_bytes; /* what the device really took */
  uint32_t memory_type;
  uint32_t was_copied;
  uint64_t native; /* the API's own handle, 0 none */
} bp_buffer_info;

typedef struct bp_link { /* how bytes get from a peer's memory into this device's */
  bp_head h;
  uint32_t mode; /* BP_LINK_… */
  uint32_t link_class;
  uint64_t bytes_per_s, latency_ns;
} bp_link;

/* ---- 4. capability -------------------------------------------------------------------------------------------------- */

typedef struct bp_verdict {
  bp_head h;
  uint32_t node_index;
  uint32_t support; /* BP_SUPPORT_… */
  uint32_t reason;  /* BP_REASON_… when NO */
  uint32_t operand; /* offending operand (inputs, then outputs) when the reason is about one */
  int64_t limit, actual; /* e.g. work-group memory 32768, needed 49152 */
  uint64_t est_ns, est_bytes; /* for a yes, at the symbols' upper bounds; 0 unknown */
  uint32_t est_confidence;    /* 0 guess … 100 measured */
  uint32_t reserved0;
  bp_str detail;   /* free text; may be empty */
  bp_array declares; /* bp_attr: what the kernels that may run this node do to accuracy beyond f32 arithmetic; the judge widens
                        its bound by exactly this. "act_block" i64: activations are rounded to 8 bits per that many elements;
                        "operand_round" str "bf16"|"f16": operands are rounded; "p_round" str: attention weights are rounded;
                        "ftz" i64 1: subnormals are flushed. Lives as long as the device */
} bp_verdict;

/* ---- 5. variants and their parameters: group Tuning -------------------------------------------------------------------- */

typedef struct bp_param { /* a number that may be chosen when a program is made */
  bp_head h;
  bp_str name; /* what stored choices call it: it keeps its name and its meaning from version to version */
  uint32_t kind;         /* BP_PARAM_… */
  uint32_t flags;        /* BP_AFFECTS_… */
  int64_t standard;      /* its value when nobody chooses; one of `values` */
  const int64_t *values; /* the legal ones, ascending, `count` of them, at least one */
  uint32_t count;
  uint32_t reserved0;
} bp_param;

typedef struct bp_variant { /* one way to compute a node */
  bp_head h;
  bp_str name; /* says operator, types, tile, isa; unique among the operator's; the host never parses it */
  uint32_t flags;          /* 0 */
  uint32_t numerics_class; /* BP_NUMERICS_… that it keeps to */
  bp_array declares;       /* bp_attr: as in bp_verdict, of this variant alone */
  bp_array params;         /* bp_param: those that change something for this node */
  bp_str constraints; /* a formula over the parameters' names that a legal choice makes true; empty: all are legal. Extents and limits
                         of the device stand in it as numbers, so that the host can count, draw and refuse choices alone */
  uint64_t kernel_hash; /* of the variant's own device code and how it is built: what was measured with another is not believed; 0: the
                           library's build stands for it */
} bp_variant;

typedef struct bp_config { /* a choice; of several for a node, the one whose [lo, hi] holds the symbol's value at dispatch */
  bp_head h;
  uint32_t node;
  uint32_t symbol; /* 0 = always */
  int64_t lo, hi;
  bp_id variant;         /* bp_id of its name; 0: the device chooses */
  const int64_t *values; /* of the variant's parameters, in the order of bp_variant.params for this node */
  uint32_t n_values;     /* fewer leave the rest at their standard */
  uint32_t reserved0;
} bp_config;

/* Packing, provisional in 1.0: outside the layout hash until a plugin packs. */
typedef struct bp_pack_plan {
  bp_head h;
  uint32_t operand;
  uint32_t flags; /* BP_PACK_… */
  bp_id layout;
  uint64_t bytes, align, chunk;
  uint64_t layout_hash;
} bp_pack_plan;

/* ---- 6. programs and submission --------------------------------------------------------------------------------------- */

typedef struct bp_compile {
  bp_head h;
  const bp_graph *graph;
  bp_array configs; /* bp_config */
  bp_span blob;     /* an exported program of the same graph, or empty */
  void *cancel;     /* token for bp_host.cancelled, or NULL */
  uint64_t budget_ns; /* 0 none */
  uint32_t flags;
  uint32_t numerics; /* BP_NUMERICS_… */
} bp_compile;

typedef struct bp_program_info {
  bp_head h;
  uint64_t workspace_bytes, workspace_align; /* for the symbols' upper bounds; the host supplies it at each dispatch */
  uint64_t resident_bytes;                   /* device memory the program itself holds */
  bp_array aliases;    /* bp_alias: legal in-place pairs between graph inputs and outputs */
  bp_array placements; /* bp_placement: where intermediates lie in the workspace; the host validates and draws it */
  bp_array packs;      /* bp_pack_plan */
  uint32_t flags;
  uint32_t n_kernels;
} bp_program_info;

typedef struct bp_alias {
  bp_head h;
  uint32_t input, output; /* tensor numbers */
} bp_alias;

typedef struct bp_placement { /* one intermediate tensor in the workspace */
  bp_head h;
  uint32_t tensor;      /* tensor number; BP_NO_TENSOR for scratch memory of a kernel */
  uint32_t alias_of;    /* tensor number whose storage it shares (a view, or in place), else BP_NO_TENSOR */
  uint32_t first_node, end_node; /* live for nodes first_node … end_node-1 */
  uint64_t offset, bytes;        /* in the workspace, at the symbols' upper bounds */
} bp_placement;

typedef struct bp_timestamp { /* one per dispatch */
  bp_head h;
  uint64_t begin_ticks, end_ticks;
} bp_timestamp;

typedef struct bp_binding {
  bp_head h;
  bp_buffer buffer;
  uint64_t offset, bytes;
} bp_binding;

typedef struct bp_sem_point {
  bp_head h;
  bp_sem sem;
  uint64_t value;
} bp_sem_point;

typedef struct bp_dispatch {
  bp_head h;
  bp_program program;
  uint32_t entry;
  uint32_t flags;
  bp_array bindings;           /* bp_binding: graph inputs, then graph outputs */
  bp_array symbols;            /* bp_symbol_value, ascending by number */
  const bp_binding *workspace; /* NULL when program_info asked for none */
} bp_dispatch;

typedef struct bp_copy {
  bp_head h;
  const bp_binding *src, *dst;
  uint32_t rows; /* 0 or 1: one run of src->bytes */
  uint32_t flags;
  uint64_t src_pitch, dst_pitch;
} bp_copy;

typedef struct bp_submission { /* waits, then copies, then dispatches in order, then signals */
  bp_head h;
  bp_array waits, signals; /* bp_sem_point */
  bp_array dispatches;     /* bp_dispatch */
  bp_array copies;         /* bp_copy */
  uint64_t tag;
  const bp_binding *timestamps; /* array of bp_timestamp, one a dispatch; NULL: not wanted, costs nothing */
  void *cancel;
  uint64_t deadline_ns; /* on bp_host.now_ns's clock; 0 none */
  uint32_t flags;
  uint32_t reserved0;
} bp_submission;

typedef struct bp_clock {
  bp_head h;
  uint64_t host_ns, device_ticks, hz, max_deviation_ns;
} bp_clock;

/* ---- 7. function tables --------------------------------------------------------------------------------------------- */

/* A device's functions. Missing ones (NULL or beyond struct_size) are taken as "unsupported"; each group that info() claims
 * must be whole. Thread rules: T = thread-safe, no side effect, same answer for one caps_epoch; O = thread-safe across different
 * objects; S = the host serialises per object. */
typedef struct bp_device_fns {
  bp_head h;

  /* -- group Base: synchronous, host memory; all that a first backend needs -- */
  /* T. Describes the device. Strings and arrays live as long as the device. */
  bp_status (*info)(bp_device, bp_device_info *out, bp_error *);
  /* T. One verdict a node: out[i] (stride bytes apart, count of them, in node order) for graph node i. Depends only on the
   * node's signature: operator, version, attributes, formats, layouts, bounds, numerics. BP_OK also when verdicts are NO. */
  bp_status (*query)(bp_device, const bp_graph *, bp_verdict *out, uint32_t stride, uint32_t count, bp_error *);
  /* O. The plugin owns what the handle hides, the host owns the handle: every created buffer is destroyed once. */
  bp_status (*buffer_create)(bp_device, const bp_buffer_desc *, bp_buffer *out, bp_buffer_info *, bp_error *);
  void (*buffer_destroy)(bp_device, bp_buffer);
  /* O. A host address for [off, off+len), valid until buffer_unmap. */
  bp_status (*buffer_map)(bp_device, bp_buffer, uint64_t off, uint64_t len, uint32_t access, void **out, bp_error *);
  bp_status (*buffer_unmap)(bp_device, bp_buffer, bp_error *);
  /* O. Compiles a graph whose nodes query said yes to. The graph is not kept. error.node_plus_1 names a node that failed. */
  bp_status (*program_create)(bp_device, const bp_compile *, bp_program *out, bp_error *);
  /* T. Arrays live as long as the program. */
  bp_status (*program_info)(bp_program, bp_program_info *out, bp_error *);
  void (*program_destroy)(bp_program);
  /* T. Runs a submission and returns when it is done. A program may be in flight many times, each with its own workspace. */
  bp_status (*execute)(bp_device, const bp_submission *, bp_error *);

  /* -- group Queues -- */
  bp_status (*queue_create)(bp_device, uint32_t index, bp_queue *out, bp_error *); /* O */
  void (*queue_destroy)(bp_queue);
  /* S. Never blocks; BP_WOULD_BLOCK when the queue is full, and then nothing was enqueued. */
  bp_status (*submit)(bp_queue, const bp_submission *, bp_error *);
  /* O. Timeline semaphores: a monotone counter that can also be failed. */
  bp_status (*sem_create)(bp_device, uint64_t initial, bp_sem *out, bp_error *);
  void (*sem_destroy)(bp_sem);
  /* T. BP_E_POISONED with the first failure in *failure when it was failed. */
  bp_status (*sem_query)(bp_sem, uint64_t *value, bp_error *failure);
  bp_status (*sem_signal)(bp_sem, uint64_t value, bp_error *); /* T; value must grow, else BP_E_INVALID */
  bp_status (*sem_fail)(bp_sem, const bp_error *);             /* T */
  /* T. Waits for all (any = 0) or one (any = 1) of `count` points, at most timeout_ns; BP_E_TIMEOUT, BP_E_POISONED. */
  bp_status (*sem_wait)(bp_device, const bp_sem_point *, uint32_t stride, uint32_t count, uint32_t any, uint64_t timeout_ns, bp_error *);
  /* T. How this device reaches memory `peer_mem` of `peer` from its own memory `mem`. */
  bp_status (*link)(bp_device, uint32_t mem, const bp_device_info *peer, uint32_t peer_mem, bp_link *out, bp_error *);

  /* -- group Blobs -- */
  bp_status (*program_export)(bp_program, bp_status (*sink)(void *, bp_span), void *sink_ctx, bp_error *); /* T */
  /* T. Judges a blob by its first 4 KiB: 0 optimal, 1 usable, 2 recompile, 3 never. */
  bp_status (*blob_check)(bp_device, bp_span header_4k, uint32_t *out_class, bp_error *);

  /* -- group Tuning -- */
  /* T. Every variant that takes node `node`, best first by the device's own judgement: without a config it uses the first. Writes as
   * many as fit (stride bytes apart) and the number there are; BP_MORE when they do not all fit. Strings and arrays live as long as
   * the device. */
  bp_status (*variants)(bp_device, const bp_graph *, uint32_t node, bp_variant *out, uint32_t stride, uint32_t *inout_count, bp_error *);
  /* T. BP_OK when program_create would take this config (it may refuse more than the constraints say), and the bytes of workspace that
   * the node alone then needs. Compiles nothing: program_create does, execute only launches. */
  bp_status (*config_check)(bp_device, const bp_graph *, uint32_t node, const bp_config *, uint64_t *out_workspace, bp_error *);
  /* T. Host and device time, read together: puts bp_submission.timestamps of all devices on one axis. */
  bp_status (*clock)(bp_device, bp_clock *out, bp_error *);

  /* -- no group needs these -- */
  bp_status (*reset)(bp_device, bp_error *); /* after BP_E_DEVICE_LOST: children are dead, the instance survives */
  bp_status (*trim)(bp_device, uint32_t pressure, uint64_t *out_freed, bp_error *);
  /* Packing (provisional). */
  bp_status (*pack_plan)(bp_device, const bp_graph *, uint32_t node, const bp_config *, uint32_t operand, bp_pack_plan *out, bp_error *);
  bp_status (*pack)(bp_device, const bp_pack_plan *, bp_span src, uint64_t src_offset, void *dst, uint64_t dst_bytes, bp_error *);
} bp_device_fns;

/* What bp_plugin_query returns: static data. Order of life: instance > device > {buffer, queue, semaphore, program}; the host
 * destroys children first. */
typedef struct bp_plugin {
  bp_head h;
  uint32_t abi_min, abi_max; /* the range this plugin speaks */
  bp_str name, vendor, version, build_id;
  uint32_t flags; /* BP_PLUGIN_… */
  uint32_t reserved0;
  uint64_t abi_layout_hash; /* BP_ABI_LAYOUT_HASH_1_0 of the header it was built with */
  bp_status (*instance_create)(const bp_host *, bp_instance *out, bp_error *);
  void (*instance_destroy)(bp_instance); /* joins threads, frees everything; the library stays mapped */
  bp_status (*device_count)(bp_instance, uint32_t *out, bp_error *);
  /* fns: static or living as long as the device. */
  bp_status (*device_open)(bp_instance, uint32_t index, bp_device *out, const bp_device_fns **fns, bp_error *);
  void (*device_close)(bp_device);
  const void *(*extension)(bp_instance, bp_str name, uint32_t version); /* NULL = absent */
} bp_plugin;

/* The one exported symbol. Pure: no threads, no driver, no allocation, callable many times. NULL = no common version. */
BP_EXPORT const bp_plugin *bp_plugin_query(uint32_t host_abi_min, uint32_t host_abi_max);
typedef const bp_plugin *(*bp_plugin_query_fn)(uint32_t host_abi_min, uint32_t host_abi_max);
#define BP_PLUGIN_SYMBOL "bp_plugin_query"
/* Linked statically (no dlopen), a plugin defines bp_plugin_query under another name and the app registers the table. */

/* ---- 8. the ELF note ------------------------------------------------------------------------------------------------- */

/* Lets the host read ABI range and layout hash before any plugin code runs. Plugins that link BackplaneABI have it; a plugin
 * built from this header alone defines BP_EMIT_NOTE before including it in exactly one file. */
typedef struct bp_elf_note { /* frozen; not passed over the ABI */
  uint32_t name_bytes, desc_bytes, type; /* 12, 24, 1 */
  char name[12];                         /* "Backplane" */
  uint32_t abi_min, abi_max;
  uint32_t minor, reserved0;
  uint64_t layout_hash;
} bp_elf_note;
#if defined(BP_EMIT_NOTE) && defined(__ELF__)
__attribute__((section(".note.backplane"), used, aligned(8)))
static const bp_elf_note bp_elf_note_data = {12, 24, 1, "Backplane", BP_ABI_1_0, BP_ABI_THIS, 0, 0, BP_ABI_LAYOUT_HASH_1_0};
#endif
#ifdef __cplusplus
}
#endif
#endif
