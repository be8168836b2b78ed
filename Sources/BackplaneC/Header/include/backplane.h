/* backplane.h - Backplane for C and C++: devices, graphs, runs, text. Library BackplaneC; the guide is Specs/c-api.md.
 *
 * C99 and C++11; needs only <stddef.h> and <stdint.h>; may be included beside backplane_plugin.h.
 *
 * Results.  Functions return BP_OK (0), a soft positive code, or a negative BP_E_ code. A bp_failure is always optional (NULL); it is written
 *           only when the code is negative. Nothing here prints, aborts or throws.
 * Handles.  Each handle that a function gives belongs to the caller, who gives it to bp_free once. What a handle was made from may be freed
 *           before it: a session keeps its compiled graph, that its runtime. A handle is a number in a table, not an address: one that is NULL,
 *           freed or made up gives BP_E_INVALID.
 * Memory.   What a pointer argument points at is read or written during the call only, unless a function says otherwise. NULL where
 *           a pointer is needed gives BP_E_INVALID.
 * Threads.  Any function may be called from any thread at any time, with any handle. Sessions and generators do one thing at a time: a second
 *           call meanwhile gives BP_E_BUSY and changes nothing. Elsewhere a second call waits. Callbacks say on which thread they come.
 * Growth.   Every struct begins with struct_size, set by the caller to sizeof; structs and this list of functions only grow at their end.
 *           A field that an older caller's struct has not counts as 0, and 0 always means the default. Of a struct that this library fills in, only
 *           struct_size bytes are written; one with options must have the size that a version of this header gave it.
 * Texts.    UTF-8, ending in 0. Functions that give a text take a buffer (text, capacity) and write to *needed its bytes with the final 0; a buffer
 *           that is too small is left alone and the answer is BP_MORE. (NULL, 0) asks for the size.
 */
#ifndef BACKPLANE_H
#define BACKPLANE_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#if defined(_WIN32)
#define BP_API __declspec(dllimport)
#else
#define BP_API __attribute__((visibility("default")))
#endif

/* Codes. The first ones are those of backplane_plugin.h. */
#define BP_OK 0
#define BP_MORE 2                /* soft: the buffer was too small; the needed size was written */
#define BP_E_INVALID (-1)        /* an argument: NULL, a dead handle, a wrong size or value */
#define BP_E_UNSUPPORTED (-2)    /* legal, but no device or file reader takes it */
#define BP_E_OOM_HOST (-3)
#define BP_E_OOM_DEVICE (-4)
#define BP_E_DEVICE_LOST (-5)
#define BP_E_TIMEOUT (-6)
#define BP_E_CANCELLED (-7)
#define BP_E_STALE_BLOB (-8)
#define BP_E_DRIVER (-9)
#define BP_E_INTERNAL (-10)
#define BP_E_ABI (-11)
#define BP_E_POISONED (-12)
#define BP_E_FILE (-64)          /* a file: missing, unreadable, cut short, malformed */
#define BP_E_CONSTRAINT (-65)    /* a labelled rule of an operator does not hold: see op and label */
#define BP_E_BUSY (-66)          /* the object is at work for another call */

/* What went wrong, with which values, and what to try. */
typedef struct bp_failure {
  uint32_t struct_size;
  int32_t code;        /* the code that was returned */
  uint32_t reason;     /* catalogue code of Specs/abi/reasons.json, 0 none */
  int32_t node;        /* the node of the graph concerned, -1 none */
  char op[40];         /* the operator concerned, such as "softmax"; empty when none */
  char label[24];      /* its rule, such as "C2" */
  char message[1024];  /* one line for people */
} bp_failure;

typedef struct bp_runtime_s *bp_runtime;           /* plugins, devices, threads */
typedef struct bp_model_s *bp_model;               /* a graph with its weights */
typedef struct bp_compiled_s *bp_compiled;         /* a graph placed on devices and compiled */
typedef struct bp_session_s *bp_session;           /* a compiled graph with its memory */
typedef struct bp_generator_s *bp_generator;       /* a language model with one conversation */
typedef struct bp_cancellation_s *bp_cancellation; /* ends what was begun with it */
struct bp_plugin;                                  /* of backplane_plugin.h */

/* Version of this header's functions: major << 16 | minor. The library's own is at least the header's when majors agree. */
#define BP_API_1_0 0x00010000u
BP_API uint32_t bp_api_version(void);
/* Such as "0.1.0". Lives as long as the process. */
BP_API const char *bp_version(void);
/* Ends a handle of any kind. NULL is fine. What is at work with it goes on to its end first, elsewhere; its memory goes then. */
BP_API int32_t bp_free(const void *handle);

/* ---- Runtime -------------------------------------------------------------------------------------------------------------------- */

/* Called from any thread, several at once; must not call back into this library. `level` is 0 error, 1 warning, 2 info, 3 debug, 4 trace. */
typedef void (*bp_log_fn)(void *user, int32_t level, const char *category, const char *text);

#define BP_RUNTIME_ONLY_PATHS 1u /* no plugins but those of plugin_paths */
#define BP_RUNTIME_NO_PROBE 2u   /* plugins are not tried in a child process first */
#define BP_RUNTIME_QUIET 4u      /* without `log`: no messages on standard error */

typedef struct bp_runtime_options {
  uint32_t struct_size;
  uint32_t flags;                  /* BP_RUNTIME_… */
  uint32_t threads;                /* 0: the processors that this process may use */
  int32_t log_level;               /* 0: warnings; else most detailed level wanted plus 1: 1 errors only … 5 trace */
  const char *const *plugin_paths; /* libraries, manifests or folders, absolute; before those that the usual search finds */
  const char *const *settings;     /* "key=value", such as "cpu.isa=avx2" */
  uint32_t n_plugin_paths;
  uint32_t n_settings;
  bp_log_fn log;                   /* NULL: standard error */
  void *log_user;                  /* must stay valid as long as the process: plugins may outlive the runtime */
} bp_runtime_options;

/* Finds plugins and tries those that changed. Options may be NULL. One is enough for a program: each leaves some kilobytes, which plugins may use as long
 * as the process lives. */
BP_API int32_t bp_runtime_create(const bp_runtime_options *options, bp_runtime *runtime, bp_failure *failure);
/* Adds a plugin that is part of this program. Its table must live as long as the process. */
BP_API int32_t bp_runtime_register(bp_runtime runtime, const struct bp_plugin *plugin, bp_failure *failure);
/* Every device, and why what was found cannot be used, as JSON. Opens devices. */
BP_API int32_t bp_runtime_devices(bp_runtime runtime, char *json, size_t capacity, size_t *needed, bp_failure *failure);

/* Bytes of this process's memory as the system counts it, 0 unknown; handles that are not freed. */
typedef struct bp_memory_stats {
  uint32_t struct_size;
  uint32_t live_handles;
  uint64_t resident, peak_resident;
  uint64_t proportional;      /* resident, pages shared with other processes divided by their number */
  uint64_t proportional_file; /* of that, pages of mapped files, such as weights */
} bp_memory_stats;
BP_API int32_t bp_memory(bp_memory_stats *stats, bp_failure *failure);

/* ---- Cancellation --------------------------------------------------------------------------------------------------------------- */

BP_API int32_t bp_cancellation_create(bp_cancellation *cancellation, bp_failure *failure);
/* What was begun with it ends soon, with BP_E_CANCELLED. */
BP_API int32_t bp_cancellation_cancel(bp_cancellation cancellation, bp_failure *failure);
/* Makes it usable again. Nothing may be at work with it. */
BP_API int32_t bp_cancellation_reset(bp_cancellation cancellation, bp_failure *failure);

/* ---- Models: graphs with weights ------------------------------------------------------------------------------------------------ */

#define BP_NUMERICS_STANDARD 0u
#define BP_NUMERICS_STRICT 1u
#define BP_NUMERICS_FAST 2u

/* For language models in GGUF files. */
typedef struct bp_load_options {
  uint32_t struct_size;
  uint32_t numerics;         /* BP_NUMERICS_… */
  int64_t context_length;    /* tokens of the cache; 0: the model's limit, 4096 at most */
  int64_t maximum_tokens;    /* most prompt tokens of one run; 0: 512 */
  const char *cache_format;  /* NULL: "f16"; or f32, bf16, q8_0, q4_0 */
} bp_load_options;

/* Reads a GGUF language model or a graph file (Specs/formats/graph-file.md); weights are mapped, not read. Options may be NULL. */
BP_API int32_t bp_model_load(const char *path, const bp_load_options *options, bp_model *model, bp_failure *failure);
/* An empty graph, to be built by the functions below. */
BP_API int32_t bp_model_create(bp_model *model, bp_failure *failure);
/* Writes graph and weights to a graph file, under another name first and then renamed. */
BP_API int32_t bp_model_save(bp_model model, const char *path, bp_failure *failure);
/* Symbols, tensors with format, shape and role, nodes, lists of inputs and outputs: the header of a graph file, JSON. */
BP_API int32_t bp_model_describe(bp_model model, char *json, size_t capacity, size_t *needed, bp_failure *failure);

/* Tensors and symbols have numbers: tensors from 0 on, symbols from 1 on. An extent of -n stands for symbol n. Formats and operators go
 * by the names of Specs/formats and Specs/operators. A graph that a file gave cannot be changed. */
BP_API int32_t bp_model_symbol(bp_model model, const char *name, int64_t lower, int64_t upper, uint32_t *symbol, bp_failure *failure);
BP_API int32_t bp_model_input(bp_model model, const char *name, const char *format, uint32_t rank, const int64_t *extents,
                              uint32_t *tensor, bp_failure *failure);
/* Lives from run to run, zero at first; nodes that update it in place write it. */
BP_API int32_t bp_model_state(bp_model model, const char *name, const char *format, uint32_t rank, const int64_t *extents,
                              uint32_t *tensor, bp_failure *failure);
/* Told once, from any thread, that borrowed memory is no longer needed. */
typedef void (*bp_release_fn)(void *user, const void *bytes);
/* A weight of byte_count bytes, dense and row-major. Copied when `release` is NULL; else borrowed, unchanged, until `release` is called,
 * which is also done when this call fails. */
BP_API int32_t bp_model_constant(bp_model model, const char *name, const char *format, uint32_t rank, const int64_t *extents,
                                 const void *bytes, size_t byte_count, bp_release_fn release, void *user, uint32_t *tensor,
                                 bp_failure *failure);
/* Appends an operator.
 *
 * inputs      in the spec's order; BP_NO_TENSOR for an optional one that is absent
 * attributes  a JSON object such as {"axis": 1, "epsilon": 1e-6}; NULL: the spec's defaults
 * name        of the first output; NULL makes one up
 * flags       BP_APPLY_…
 * outputs     gets the numbers of the first n_outputs outputs; optional ones beyond them are not made. A state that is updated in place comes
 *             back under its own number. */
BP_API int32_t bp_model_apply(bp_model model, const char *op, const uint32_t *inputs, uint32_t n_inputs, const char *attributes,
                              const char *name, uint32_t flags, uint32_t *outputs, uint32_t n_outputs, bp_failure *failure);
#define BP_NO_TENSOR 0xffffffffu
#define BP_APPLY_KEEP_STATES 1u /* results are new tensors, also where the operator could update a state in place */
/* The class of the operators appended from now on, BP_NUMERICS_…. */
BP_API int32_t bp_model_numerics(bp_model model, uint32_t numerics, bp_failure *failure);
/* Makes a tensor an output of the graph. `name` renames it; may be NULL. */
BP_API int32_t bp_model_output(bp_model model, uint32_t tensor, const char *name, bp_failure *failure);
/* The number of the first tensor, or of the symbol, of that name. */
BP_API int32_t bp_model_tensor(bp_model model, const char *name, uint32_t *tensor, bp_failure *failure);
BP_API int32_t bp_model_symbol_number(bp_model model, const char *name, uint32_t *symbol, bp_failure *failure);
/* The tokens of a text as a language model wants them; capacity and needed count tokens. */
BP_API int32_t bp_model_tokenize(bp_model model, const char *text, int32_t *tokens, size_t capacity, size_t *needed, bp_failure *failure);

/* ---- Operators of one's own ----------------------------------------------------------------------------------------------------- */

/* An operand or result of an operator, as its functions see it. Valid during the call. */
typedef struct bp_operand {
  uint32_t struct_size;
  uint32_t rank;
  const char *format;     /* such as "f32"; NULL: an optional operand that is absent */
  const int64_t *extents; /* in a shape function -n for symbol n; elsewhere none is negative */
  double *values;         /* row-major, whole numbers too; NULL in a shape function. Those of operands must not be changed */
  double *errors;         /* of results: how far a right kernel's f32 arithmetic may be from each value, beyond the definition's numerics; 0 at first */
  uint64_t count;         /* of values */
} bp_operand;

typedef struct bp_attribute {
  uint32_t struct_size;
  uint32_t reserved;
  const char *name;
  int64_t i;              /* of an int; the length of an ints */
  double f;               /* of a float or an int */
  const char *text;       /* of a string, else NULL */
  const int64_t *ints;    /* of an ints, else NULL */
} bp_attribute;

/* Both are called on any thread, several at once, as long as the process lives; must not call back into this library; not BP_OK is an error.
 * Operands and attributes stand in the definition's order, all of them. */
/* Writes the rank (8 at most) and the extents of each output: outputs[j] is at extents + 8 * j. -n takes over symbol n. */
typedef int32_t (*bp_shapes_fn)(void *user, const bp_operand *inputs, uint32_t n_inputs, const bp_attribute *attributes, uint32_t n_attributes,
                                uint32_t *ranks, int64_t *extents, uint32_t n_outputs);
/* Fills the values of the outputs, not yet rounded to their format. */
typedef int32_t (*bp_reference_fn)(void *user, const bp_operand *inputs, uint32_t n_inputs, const bp_attribute *attributes, uint32_t n_attributes,
                                   const bp_operand *outputs, uint32_t n_outputs);

typedef struct bp_operator_functions {
  uint32_t struct_size;
  uint32_t reserved;         /* 0 */
  bp_shapes_fn shapes;       /* for outputs whose shape is "?"; else NULL */
  bp_reference_fn reference; /* where the definition has no composition; else NULL */
  void *user;                /* must stay valid as long as the process */
} bp_operator_functions;

/* Adds an operator to those of the catalogue, for the whole process and until its end: bp_model_apply knows it, devices are asked about it, and
 * where none takes it, its composition or its reference function stands in. `definition` is JSON (Specs/custom-operators.md); its name has a dot in
 * it. The same definition may be registered again when it has no functions. Functions may be NULL. */
BP_API int32_t bp_operator_register(const char *definition, const bp_operator_functions *functions, bp_failure *failure);

/* ---- Compiling ------------------------------------------------------------------------------------------------------------------ */

#define BP_FALLBACK_WARN 0u   /* what the first device refuses runs on another one; the log says so */
#define BP_FALLBACK_ALLOW 1u
#define BP_FALLBACK_FORBID 2u /* the graph is refused, with the reason */
#define BP_COMPILE_NO_FUSION 1u

typedef struct bp_compile_options {
  uint32_t struct_size;
  uint32_t fallback;            /* BP_FALLBACK_… */
  uint32_t flags;               /* BP_COMPILE_… */
  uint32_t reserved;            /* 0 */
  const char *devices;          /* such as "npu,cpu", the preferred one first; NULL or "auto": real devices, accelerators first */
  bp_cancellation cancellation; /* NULL: none */
} bp_compile_options;

/* Checks, fuses, places and compiles the graph as it is now, once for all values of its symbols. Options may be NULL. */
BP_API int32_t bp_model_compile(bp_runtime runtime, bp_model model, const bp_compile_options *options, bp_compiled *compiled,
                                bp_failure *failure);
#define BP_REPORT_PLACEMENT_TEXT 0u /* node by node: device, why, estimate */
#define BP_REPORT_PLACEMENT_JSON 1u
#define BP_REPORT_MEMORY_JSON 2u    /* bytes by device and use */
BP_API int32_t bp_compiled_report(bp_compiled compiled, uint32_t kind, char *text, size_t capacity, size_t *needed, bp_failure *failure);

/* ---- Sessions ------------------------------------------------------------------------------------------------------------------- */

/* Binds weights and allocates everything that runs need. */
BP_API int32_t bp_session_create(bp_compiled compiled, bp_session *session, bp_failure *failure);
/* Copies bytes into an input or a state, from its beginning. Tensors are dense for the symbols' values of the run. */
BP_API int32_t bp_session_write(bp_session session, uint32_t tensor, const void *bytes, size_t byte_count, bp_failure *failure);
/* Copies bytes out of an output, an input or a state, from its beginning. */
BP_API int32_t bp_session_read(bp_session session, uint32_t tensor, void *bytes, size_t byte_count, bp_failure *failure);
/* Every run reads an input from, or writes an output to, this memory of the caller's, which must hold the tensor at the run's symbol values and
 * stay valid until it is unbound (NULL) or the session is freed and not at work. The bytes are copied; bp_session_address copies nothing. */
BP_API int32_t bp_session_bind(bp_session session, uint32_t tensor, void *memory, size_t byte_count, bp_failure *failure);
/* The session's own memory of an input or an output: write before a run, read after it. Valid until the session is freed or a run says BP_E_DEVICE_LOST. */
BP_API int32_t bp_session_address(bp_session session, uint32_t tensor, void **memory, size_t *byte_count, bp_failure *failure);
/* Bytes of a tensor at the last run's symbol values; before the first run, at the upper bounds. */
BP_API int32_t bp_session_size(bp_session session, uint32_t tensor, size_t *byte_count, bp_failure *failure);
/* Fills every state with zeros. */
BP_API int32_t bp_session_reset(bp_session session, bp_failure *failure);

typedef struct bp_run_options {
  uint32_t struct_size;
  uint32_t reserved;            /* 0 */
  bp_cancellation cancellation; /* NULL: none */
  uint64_t timeout_ns;          /* 0: none. Devices that cannot stop within an operator stop after it */
} bp_run_options;

/* Runs the graph once and returns when it is done. symbols[i] is the value of symbol i + 1; NULL when there are none. Options may be NULL. */
BP_API int32_t bp_session_run(bp_session session, const int64_t *symbols, uint32_t n_symbols, const bp_run_options *options,
                              bp_failure *failure);
/* Called once, on a thread of the library's own, when a run is over; `failure` is NULL when status is BP_OK and valid for the call only. The session is
 * free for other calls by then, so the next run may be begun, and the session freed, from here. */
typedef void (*bp_done_fn)(void *user, int32_t status, const bp_failure *failure);
/* Begins a run and returns. When it returns BP_OK, `done` will be called; else not. What is bound must stay valid until then. */
BP_API int32_t bp_session_run_async(bp_session session, const int64_t *symbols, uint32_t n_symbols, const bp_run_options *options,
                                    bp_done_fn done, void *user, bp_failure *failure);

/* ---- Text ----------------------------------------------------------------------------------------------------------------------- */

/* Compiles a language model for a conversation. Options may be NULL. */
BP_API int32_t bp_generator_create(bp_runtime runtime, bp_model model, const bp_compile_options *options, bp_generator *generator,
                                   bp_failure *failure);

#define BP_GENERATE_CONTINUE 1u      /* go on after what the cache holds instead of forgetting it */
#define BP_GENERATE_PARSE_SPECIAL 2u /* texts of control tokens, such as those of a chat template, are the tokens */

typedef struct bp_generate_options {
  uint32_t struct_size;
  uint32_t flags;               /* BP_GENERATE_… */
  int64_t maximum_tokens;       /* 0: 128 */
  double temperature;           /* 0: always the likeliest token */
  double top_p;                 /* 0: 1, all tokens */
  double min_p;
  int64_t top_k;                /* 0: all tokens */
  uint64_t seed;
  bp_cancellation cancellation; /* NULL: none */
} bp_generate_options;

#define BP_END_NONE 0     /* it goes on */
#define BP_END_COUNT 1    /* maximum_tokens were made */
#define BP_END_OF_TEXT 2  /* the model ended it */
#define BP_END_CONTEXT 3  /* the cache is full */
#define BP_END_STOPPED 4  /* the callback said so */

typedef struct bp_generation {
  uint32_t struct_size;
  int32_t ending;           /* BP_END_… */
  int64_t prompt_tokens;
  int64_t tokens;
  uint64_t prompt_ns;
  uint64_t decode_ns;
} bp_generation;

/* Called on the caller's thread with each token and the text that it completes, which may be empty; not 0 stops. The text of a character that was
 * begun and never ended comes at the end with token -1. Calls with this generator give BP_E_BUSY in here. */
typedef int32_t (*bp_text_fn)(void *user, const char *text, size_t byte_count, int32_t token);
/* Generates text that follows the prompt and returns when it is done. Options, text, result may be NULL. */
BP_API int32_t bp_generate(bp_generator generator, const char *prompt, const bp_generate_options *options, bp_text_fn text, void *user,
                           bp_generation *result, bp_failure *failure);
/* The same step by step: begin, then bp_generator_next until *ending is not BP_END_NONE. A text that does not fit (BP_MORE) is given again by
 * the next call. Once *ending is set there is neither token (-1) nor text. `token` and `ending` may be NULL. */
BP_API int32_t bp_generator_begin(bp_generator generator, const char *prompt, const bp_generate_options *options, bp_failure *failure);
BP_API int32_t bp_generator_next(bp_generator generator, char *text, size_t capacity, size_t *needed, int32_t *token, int32_t *ending,
                                 bp_failure *failure);
/* Forgets the conversation. */
BP_API int32_t bp_generator_reset(bp_generator generator, bp_failure *failure);
/* What single tokens run on, for its reports. */
BP_API int32_t bp_generator_compiled(bp_generator generator, bp_compiled *compiled, bp_failure *failure);

#ifdef __cplusplus
}
#endif
#endif
