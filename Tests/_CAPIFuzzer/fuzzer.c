// What must hold after every call, whatever its arguments: the process lives, the code is a known one, a negative one comes with a text, and
// handles that were given can be freed once.
#define _GNU_SOURCE
#include "capi_fuzzer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { pool_size = 12, most_tensors = 24, most_bytes = 4096 };

typedef enum { any, model_kind, compiled_kind, session_kind, cancellation_kind } kind;

typedef struct {
  const fuzz_options *options;
  fuzz_result *result;
  uint64_t random, sequence;
  void *handles[pool_size];        // live, freed, or guessed
  uint8_t is_live[pool_size];
  kind kinds[pool_size];
  uint32_t tensors, symbols;
  bp_failure failure;
  _Atomic uint64_t asked, done;    // asynchronous runs
  unsigned char bytes[most_bytes];
} state;

static uint64_t next(state *s) {  // SplitMix64
  uint64_t z = s->random += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}
static uint32_t below(state *s, uint32_t n) { return (uint32_t)(next(s) % n); }
static int rarely(state *s, uint32_t n) { return below(s, n) == 0; }

static void violate(state *s, const char *call, int32_t status, const char *rule) {
  if (s->result->violation[0]) return;
  snprintf(s->result->violation, sizeof s->result->violation, "seed %llu, sequence %llu: %s gave %d: %s (%s)", (unsigned long long)s->options->seed,
           (unsigned long long)s->sequence, call, status, rule, s->failure.message);
}

static int32_t checked(state *s, const char *call, int32_t status, const bp_failure *given) {
  s->result->calls++;
  if (status >= 0) {
    s->result->successes++;
    if (status != BP_OK && status != BP_MORE) violate(s, call, status, "no soft code of this interface");
    return status;
  }
  if (!((status <= -1 && status >= -12) || (status <= -64 && status >= -66))) violate(s, call, status, "no known code");
  if (status == BP_E_INTERNAL) violate(s, call, status, "an internal error");
  if (given == &s->failure && s->failure.struct_size == sizeof s->failure) {
    if (s->failure.code != status) violate(s, call, status, "the failure has another code");
    if (!s->failure.message[0] || !memchr(s->failure.message, 0, sizeof s->failure.message)) violate(s, call, status, "the failure has no text");
  }
  return status;
}
#define CALL(function, ...) checked(s, #function, function(__VA_ARGS__, given), given)

// Arguments, mostly right.
static bp_failure *failure(state *s) {
  static const uint32_t sizes[] = {0, 3, 4, 5, 15, 16, 17, 79, 80, 81, 1103, 0xffffffffu};
  s->failure.struct_size = rarely(s, 20) ? sizes[below(s, 12)] : sizeof s->failure;
  return rarely(s, 20) ? NULL : &s->failure;
}
static const char *word(state *s) {
  static const char *words[] = {"x", "y", "w", "rows", "", "a long name with spaces and \xc3\xa4\xf0\x9f\x8c\x8d", "\xff\xfe", "x\n\"\\", NULL};
  return words[below(s, rarely(s, 6) ? 9 : 4)];
}
static const char *format(state *s) {
  static const char *formats[] = {"f32", "f16", "i32", "q8_0", "bool", "i64", "f33", "", NULL};
  return rarely(s, 8) ? formats[below(s, 9)] : formats[below(s, 3) / 2];
}
static const char *op(state *s) {
  static const char *ops[] = {"add", "mul", "relu", "softmax", "matmul", "reshape", "transpose", "concat", "rms_norm", "attention", "tensor_scatter", "cast", "slice",
                              "gather", "topk", "fuzz.swish", "fuzz.twice", "warp", "", NULL};
  return ops[below(s, rarely(s, 10) ? 20 : 17)];
}
static const char *attributes(state *s) {
  static const char *texts[] = {NULL, NULL, NULL, "{}", "{\"axis\": 1}", "{\"axis\": -9}", "{\"shape\": [2, -1]}", "{\"shape\": [0, 4, 9223372036854775807]}",
                                "{\"activation\": \"silu\"}", "{\"transpose_b\": 0}", "{\"to\": \"f16\"}", "{\"permutation\": [1, 0]}", "{\"epsilon\": 1e999}", "[]", "{",
                                "{\"axis\": 1, \"axis\": 2}", "{\"k\": true}", "{\"starts\": [0], \"ends\": [9], \"axes\": [0]}", "\xff", ""};
  return texts[below(s, 20)];
}
// Operators of one's own: one by its parts, one by functions, and definitions that are wrong.
#define UNARY(name, meaning) "{\"op\": \"" name "\", \"version\": 1, \"summary\": \"s\", \"inputs\": [{\"name\": \"x\", \"formats\": [\"@float\"], \"shape\": \"...\"}], " \
  "\"outputs\": [{\"name\": \"y\", \"formats\": [\"=x\"], \"shape\": \"" meaning "}}"
static const char *definition(state *s) {
  static const char *texts[] = {
      UNARY("fuzz.swish", "...\"}], \"semantics\": [\"y = silu(-x)\"], \"composition\": [{\"op\": \"neg\", \"inputs\": [\"x\"], \"outputs\": [\"z\"]}, {\"op\": \"silu\", "
                          "\"inputs\": [\"z\"], \"outputs\": [\"y\"]}], \"numerics\": {\"bound\": \"composition\""),
      UNARY("fuzz.twice", "?\"}], \"semantics\": [\"y = x and x again\"], \"numerics\": {\"bound\": \"exact\""),
      UNARY("fuzz.none", "...\"}], \"semantics\": [\"y\"], \"numerics\": {\"bound\": \"dot\""),
      UNARY("swish", "...\"}], \"semantics\": [\"y\"], \"composition\": [{\"op\": \"fuzz.swish\", \"inputs\": [\"x\"], \"outputs\": [\"y\"]}], \"numerics\": {\"bound\": \"composition\""),
      "{\"op\": \"fuzz.x\"}", "{", "", NULL};
  return texts[below(s, rarely(s, 3) ? 8 : 2)];
}
static int32_t twice_shapes(void *user, const bp_operand *in, uint32_t n_in, const bp_attribute *attributes, uint32_t n_attributes, uint32_t *ranks, int64_t *extents, uint32_t n_out) {
  (void)user, (void)n_in, (void)attributes, (void)n_attributes, (void)n_out;
  ranks[0] = in[0].rank + 1;  // 9 of 8 is for the library to find
  extents[0] = 2;
  for (uint32_t i = 0; i < in[0].rank && i < 7; i++) extents[i + 1] = in[0].extents[i];
  return BP_OK;
}
static int32_t twice(void *user, const bp_operand *in, uint32_t n_in, const bp_attribute *attributes, uint32_t n_attributes, const bp_operand *out, uint32_t n_out) {
  (void)user, (void)n_in, (void)attributes, (void)n_attributes, (void)n_out;
  for (uint64_t i = 0; i < out[0].count; i++) out[0].values[i] = in[0].values[i % in[0].count];
  return in[0].count && in[0].values[0] == 13 ? BP_E_INVALID : BP_OK;
}

static uint32_t tensor(state *s) {
  if (rarely(s, 16)) return rarely(s, 2) ? BP_NO_TENSOR : below(s, 1000);
  return s->tensors ? below(s, s->tensors) : 0;
}
static uint32_t extents(state *s, int64_t *to) {
  uint32_t rank = rarely(s, 30) ? below(s, 12) : 1 + below(s, 3);
  for (uint32_t i = 0; i < 12; i++) {
    to[i] = 1 + below(s, 6);
    if (s->symbols && rarely(s, 4)) to[i] = -(int64_t)(1 + below(s, s->symbols));
    if (rarely(s, 100)) to[i] = (int64_t)next(s);
    if (rarely(s, 60)) to[i] = 0;
  }
  return rank;
}
static void *pick(state *s, kind wanted) {
  uint32_t way = below(s, 40);
  if (way == 0) return NULL;
  if (way == 1) return (void *)(uintptr_t)next(s);
  uint32_t at = below(s, pool_size);
  if (wanted != any && way > 8) {
    for (uint32_t i = 0; i < pool_size && !(s->is_live[at] && s->kinds[at] == wanted); i++) at = (at + 1) % pool_size;
  }
  void *handle = s->handles[at];
  if (way == 2) handle = (void *)((uintptr_t)handle ^ (uintptr_t)(1u << below(s, 31)));
  return handle == (void *)s->options->runtime || handle == (void *)s->options->generator ? NULL : handle;
}
static void keep(state *s, void *handle, kind of) {
  if (!handle) return;
  uint32_t i = below(s, pool_size);
  if (s->is_live[i] && bp_free(s->handles[i]) != BP_OK && !s->options->shares_handles) violate(s, "bp_free", -1, "a live handle cannot be freed");
  s->handles[i] = handle;
  s->is_live[i] = 1;
  s->kinds[i] = of;
}
static uint32_t size_of(state *s, size_t whole) { return rarely(s, 30) ? below(s, 200) : (uint32_t)whole; }

static void finished(void *user, int32_t status, const bp_failure *failure) {
  state *s = user;
  (void)status, (void)failure;
  atomic_fetch_add(&s->done, 1);
}
static void released(void *user, const void *bytes) { (void)user, (void)bytes; }
static int32_t heard(void *user, const char *text, size_t byte_count, int32_t token) {
  (void)text, (void)token;
  return *(size_t *)user += byte_count, (int32_t)(byte_count & 1);
}

// A graph that is right: y = relu(x w') + s, rows x 4, so that what comes after it has something to work on.
static void build(state *s) {
  bp_failure *given = &s->failure;
  s->failure.struct_size = sizeof s->failure;
  bp_model model = NULL;
  bp_compiled compiled = NULL;
  bp_session session = NULL;
  uint32_t rows, x, w, z, y, sum;
  float weights[16];
  for (int i = 0; i < 16; i++) weights[i] = (float)i;
  int64_t input[] = {-1, 4}, square[] = {4, 4}, flat[] = {4};
  uint32_t pair[2];
  bp_compile_options options = {sizeof options};
  options.devices = s->options->device;
  if (CALL(bp_model_create, &model) || CALL(bp_model_symbol, model, "rows", 0, 5, &rows) || CALL(bp_model_input, model, "x", "f32", 2, input, &x) ||
      CALL(bp_model_constant, model, "w", "f32", 2, square, weights, sizeof weights, NULL, NULL, &w) || CALL(bp_model_state, model, "s", "f32", 1, flat, &z) ||
      (pair[0] = x, pair[1] = w, CALL(bp_model_apply, model, "matmul", pair, 2, "{\"activation\": \"relu\"}", NULL, 0, &y, 1)) ||
      (pair[0] = y, pair[1] = z, CALL(bp_model_apply, model, "add", pair, 2, NULL, "y", 0, &sum, 1)) || CALL(bp_model_output, model, sum, NULL) ||
      CALL(bp_model_compile, s->options->runtime, model, &options, &compiled) || CALL(bp_session_create, compiled, &session)) {
    violate(s, "build", s->failure.code, "a right graph is refused");
  }
  s->tensors = 5;
  s->symbols = 1;
  keep(s, model, model_kind), keep(s, compiled, compiled_kind), keep(s, session, session_kind);
}

static void one_call(state *s) {
  bp_failure *given = failure(s);
  uint32_t which = below(s, 30);
  void *h = pick(s, which < 15 ? model_kind : which < 17 ? compiled_kind : which < 27 ? session_kind : any);
  int64_t shape[12];
  uint32_t rank, number = 0, list[6], outputs[5];
  size_t needed = 0, capacity = below(s, most_bytes);
  void *pointer = NULL;
  int32_t token, ending;
  bp_model model = NULL;
  bp_compiled compiled = NULL;
  bp_session session = NULL;
  bp_cancellation cancellation = NULL;
  switch (which) {
  case 0:
    if (!CALL(bp_model_create, rarely(s, 20) ? NULL : &model)) keep(s, model, model_kind), s->tensors = s->symbols = 0;
    break;
  case 1: if (!CALL(bp_model_symbol, h, word(s), rarely(s, 9) ? (int64_t)next(s) : below(s, 3), rarely(s, 9) ? (int64_t)next(s) : below(s, 7), &number)) s->symbols++; break;
  case 2: case 3:
    rank = extents(s, shape);
    if (!CALL(bp_model_input, h, word(s), format(s), rank, rarely(s, 30) ? NULL : shape, &number)) s->tensors = number + 1;
    break;
  case 4:
    rank = extents(s, shape);
    if (!CALL(bp_model_state, h, word(s), format(s), rank, shape, &number)) s->tensors = number + 1;
    break;
  case 5:
    rank = 1 + below(s, 2), shape[0] = below(s, 9), shape[1] = 4;
    if (!CALL(bp_model_constant, h, word(s), format(s), rank, shape, rarely(s, 20) ? NULL : s->bytes, rarely(s, 6) ? below(s, 300) : 4u * (size_t)shape[0] * (rank == 2 ? 4 : 1),
              rarely(s, 2) ? NULL : released, s, &number)) s->tensors = number + 1;
    break;
  case 6: case 7: case 8:
    for (int i = 0; i < 6; i++) list[i] = tensor(s);
    number = 1 + below(s, 3);
    if (!CALL(bp_model_apply, h, op(s), rarely(s, 40) ? NULL : list, number, attributes(s), rarely(s, 2) ? NULL : word(s), below(s, 2), outputs,
              rarely(s, 9) ? below(s, 5) : 1) && s->tensors < most_tensors) s->tensors++;
    break;
  case 9: CALL(bp_model_output, h, tensor(s), rarely(s, 2) ? NULL : word(s)); break;
  case 10: CALL(bp_model_tensor, h, word(s), &number); break;
  case 11: CALL(bp_model_symbol_number, h, word(s), rarely(s, 20) ? NULL : &number); break;
  case 12: CALL(bp_model_describe, h, rarely(s, 4) ? NULL : (char *)s->bytes, rarely(s, 20) ? (size_t)-1 : capacity, &needed); break;
  case 13: CALL(bp_model_numerics, h, below(s, 4)); break;
  case 14: {
    bp_compile_options options = {size_of(s, sizeof options)};
    options.devices = rarely(s, 10) ? word(s) : s->options->device, options.fallback = below(s, 4), options.flags = below(s, 3);
    options.cancellation = rarely(s, 10) ? pick(s, cancellation_kind) : NULL;
    if (!CALL(bp_model_compile, rarely(s, 10) ? pick(s, any) : s->options->runtime, h, &options, &compiled)) keep(s, compiled, compiled_kind);
    break;
  }
  case 15: CALL(bp_compiled_report, h, below(s, 4), (char *)s->bytes, capacity, rarely(s, 9) ? NULL : &needed); break;
  case 16: if (!CALL(bp_session_create, h, &session)) keep(s, session, session_kind); break;
  case 17: case 18: CALL(bp_session_write, h, tensor(s), rarely(s, 30) ? NULL : s->bytes, rarely(s, 30) ? (size_t)next(s) >> 1 | 4097 : below(s, 200)); break;
  case 19: CALL(bp_session_read, h, tensor(s), rarely(s, 30) ? NULL : s->bytes, below(s, 200)); break;
  case 20:
    // Never more than there is, and bound for as long as a session can run.
    CALL(bp_session_bind, h, tensor(s), rarely(s, 3) ? NULL : s->bytes, below(s, most_bytes));
    break;
  case 21:
    if (!CALL(bp_session_address, h, tensor(s), &pointer, &needed) && !s->options->shares_handles && pointer) memset(pointer, below(s, 256), needed);
    break;
  case 22: CALL(bp_session_size, h, tensor(s), &needed); break;
  case 23: CALL(bp_session_reset, h); break;
  case 24: case 25: case 26: {
    bp_run_options options = {size_of(s, sizeof options)};
    options.cancellation = rarely(s, 8) ? pick(s, cancellation_kind) : NULL, options.timeout_ns = rarely(s, 20) ? next(s) : 0;
    for (int i = 0; i < 6; i++) shape[i] = rarely(s, 10) ? (int64_t)next(s) : below(s, 6);
    number = rarely(s, 20) ? 0 : 1 + below(s, 5);
    if (rarely(s, 25)) {
      atomic_fetch_add(&s->asked, 1);
      if (CALL(bp_session_run_async, h, shape, number, &options, rarely(s, 20) ? NULL : finished, s)) atomic_fetch_sub(&s->asked, 1);
    } else if (!CALL(bp_session_run, h, rarely(s, 20) ? NULL : shape, number, rarely(s, 2) ? NULL : &options)) {
      s->result->runs++;
    }
    break;
  }
  case 27:
    if (rarely(s, 2)) { if (!CALL(bp_cancellation_create, &cancellation)) keep(s, cancellation, cancellation_kind); }
    else if (rarely(s, 2)) CALL(bp_cancellation_cancel, h);
    else CALL(bp_cancellation_reset, h);
    break;
  case 28: {
    uint32_t i = below(s, pool_size);
    int32_t status = bp_free(s->handles[i]);
    s->result->calls++;
    if (s->handles[i] && !s->options->shares_handles && (status == BP_OK) != (s->is_live[i] != 0)) violate(s, "bp_free", status, "live handles can be freed once");
    s->is_live[i] = 0;  // and stays in the pool, dead
    break;
  }
  default: {
    if (!rarely(s, 30)) break;
    bp_generator generator = rarely(s, 4) ? h : s->options->generator;
    bp_generate_options options = {size_of(s, sizeof options)};
    options.maximum_tokens = rarely(s, 9) ? (int64_t)next(s) % 3 : 2, options.flags = below(s, 4), options.temperature = rarely(s, 4) ? 0.8 : 0;
    options.top_p = rarely(s, 9) ? -1 : 0, options.top_k = rarely(s, 9) ? (int64_t)next(s) : 0;
    bp_generation generation = {size_of(s, sizeof generation)};
    switch (s->options->generator ? below(s, 10) : 7 + below(s, 3)) {
    case 0: CALL(bp_generate, generator, word(s), &options, heard, &needed, rarely(s, 2) ? NULL : &generation); break;
    case 1: CALL(bp_generator_begin, generator, word(s), &options); break;
    case 2: case 3: CALL(bp_generator_next, generator, (char *)s->bytes, below(s, 40), &needed, &token, rarely(s, 9) ? NULL : &ending); break;
    case 4: CALL(bp_generator_reset, generator); break;
    case 5: if (!CALL(bp_generator_compiled, generator, &compiled)) keep(s, compiled, compiled_kind); break;
    case 6: CALL(bp_model_tokenize, h, word(s), (int32_t *)s->bytes, 8, &needed); break;
    case 7: {
      bp_memory_stats stats = {size_of(s, sizeof stats)};
      CALL(bp_memory, &stats);
      break;
    }
    case 8: {
      bp_operator_functions functions = {size_of(s, sizeof functions)};
      if (!rarely(s, 4)) functions.shapes = twice_shapes, functions.reference = twice;
      CALL(bp_operator_register, definition(s), rarely(s, 2) ? NULL : &functions);
      break;
    }
    default: {
      if (!s->options->folder) break;
      char path[512];
      snprintf(path, sizeof path, "%s/%llu.graph", s->options->folder, (unsigned long long)s->options->seed);
      if (!CALL(bp_model_save, h, path) && rarely(s, 2)) {  // and a byte of it changed, or its end cut off
        FILE *file = fopen(path, "r+b");
        fseek(file, 0, SEEK_END);
        long end = ftell(file);
        fseek(file, (long)below(s, (uint32_t)end), SEEK_SET);
        fputc((int)below(s, 256), file);
        fclose(file);
      }
      if (!CALL(bp_model_load, rarely(s, 9) ? word(s) : path, NULL, &model)) keep(s, model, model_kind);
      break;
    }
    }
  }
  }
}

fuzz_result capi_fuzz(const fuzz_options *options) {
  fuzz_result result = {0};
  state *s = calloc(1, sizeof *s);
  s->options = options;
  s->result = &result;
  s->random = options->seed * 0x2545F4914F6CDD1Du + 1;
  for (s->sequence = 0; s->sequence < options->sequences && !result.violation[0]; s->sequence++) {
    if (rarely(s, 4)) build(s);
    for (uint32_t n = 3 + below(s, 14); n > 0; n--) one_call(s);
    while (atomic_load(&s->done) < atomic_load(&s->asked)) nanosleep(&(struct timespec){0, 20000}, NULL);
    for (int i = 0; i < pool_size; i++) {
      if (s->is_live[i] && bp_free(s->handles[i]) != BP_OK && !options->shares_handles) violate(s, "bp_free", -1, "a live handle cannot be freed at the end");
      s->is_live[i] = 0;
    }
  }
  free(s);
  return result;
}

typedef struct { fuzz_options options; fuzz_result *result; } share;

static void *work(void *given) {
  share *s = given;
  *s->result = capi_fuzz(&s->options);
  return NULL;
}

void capi_fuzz_together(const fuzz_options *options, uint32_t threads, fuzz_result *results) {
  pthread_t ids[64];
  share shares[64];
  if (threads > 64) threads = 64;
  for (uint32_t i = 0; i < threads; i++) {
    shares[i] = (share){*options, &results[i]};
    shares[i].options.seed += i;
    if (pthread_create(&ids[i], NULL, work, &shares[i])) abort();
  }
  for (uint32_t i = 0; i < threads; i++) pthread_join(ids[i], NULL);
}
