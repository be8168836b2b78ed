// What a search for leaks cannot see: handles, threads and files that are kept, memory that something still points to.
#define _GNU_SOURCE
#include "capi_fuzzer.h"

#include <dirent.h>
#include <malloc.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  const churn_options *options;
  churn_result *result;
  churn_part *part;
  uint64_t loops;  // done, of this part
  bp_runtime runtime;
  bp_failure failure;
  sem_t over;                        // an asynchronous run
  _Atomic uint64_t lent, given_back; // weights
} churn;

#define MUST(...) \
  do { \
    int32_t status = (__VA_ARGS__); \
    if (status != BP_OK) return broken(c, #__VA_ARGS__, status); \
  } while (0)
#define REFUSED(code, ...) \
  do { \
    int32_t status = (__VA_ARGS__); \
    if (status != (code)) return broken(c, #__VA_ARGS__, status); \
  } while (0)
#define GIVEN (c->failure.struct_size = sizeof c->failure, &c->failure)

static int broken(churn *c, const char *call, int32_t status) {
  snprintf(c->result->fault, sizeof c->result->fault, "loop %llu: %.120s gave %d (%.400s)", (unsigned long long)c->loops, call, status, c->failure.message);
  return 1;
}

static void give_back(void *user, const void *bytes) {
  (void)bytes;
  atomic_fetch_add(&((churn *)user)->given_back, 1);
}
static void run_is_over(void *user, int32_t status, const bp_failure *failure) {
  (void)status, (void)failure;
  sem_post(&((churn *)user)->over);
}
static int32_t hear(void *user, const char *text, size_t byte_count, int32_t token) {
  (void)user, (void)text, (void)byte_count, (void)token;
  return 0;
}

static const char swish[] =
    "{\"op\": \"churn.swish\", \"version\": 1, \"summary\": \"s\", \"inputs\": [{\"name\": \"x\", \"formats\": [\"@float\"], \"shape\": \"...\"}], "
    "\"outputs\": [{\"name\": \"y\", \"formats\": [\"=x\"], \"shape\": \"...\"}], \"semantics\": [\"y = silu(-x)\"], "
    "\"composition\": [{\"op\": \"neg\", \"inputs\": [\"x\"], \"outputs\": [\"z\"]}, {\"op\": \"silu\", \"inputs\": [\"z\"], \"outputs\": [\"y\"]}], "
    "\"numerics\": {\"bound\": \"composition\"}}";

// swish(scale(x w)) + s: no two loops have the same graph, so that a cache of them which only grows would show.
static int graph(churn *c) {
  static const float weights[16] = {1, 2, 3, 4};
  const int64_t input[] = {-1, 4}, square[] = {4, 4}, flat[] = {4}, rows = 2;
  float values[8] = {1, 2, 3}, results[8];
  char factor[64], text[64];
  uint32_t symbol, x, w, s, product, scaled, gated, y;
  size_t bytes;
  void *memory;
  bp_model model, loaded;
  bp_compiled compiled;
  bp_session session;
  bp_cancellation cancellation;
  bp_compile_options options = {sizeof options};
  bp_run_options run = {sizeof run};
  options.devices = c->options->device;
  snprintf(factor, sizeof factor, "{\"factor\": %.6f}", 1.0 + 1e-5 * (double)c->loops);

  MUST(bp_operator_register(swish, NULL, GIVEN));
  MUST(bp_model_create(&model, GIVEN));
  MUST(bp_model_symbol(model, "rows", 0, 5, &symbol, GIVEN));
  MUST(bp_model_input(model, "x", "f32", 2, input, &x, GIVEN));
  atomic_fetch_add(&c->lent, 1);
  MUST(bp_model_constant(model, "w", "f32", 2, square, weights, sizeof weights, give_back, c, &w, GIVEN));
  MUST(bp_model_state(model, "s", "f32", 1, flat, &s, GIVEN));
  MUST(bp_model_apply(model, "matmul", (uint32_t[]){x, w}, 2, NULL, NULL, 0, &product, 1, GIVEN));
  MUST(bp_model_apply(model, "scale", &product, 1, factor, NULL, 0, &scaled, 1, GIVEN));
  MUST(bp_model_apply(model, "churn.swish", &scaled, 1, NULL, NULL, 0, &gated, 1, GIVEN));
  MUST(bp_model_apply(model, "add", (uint32_t[]){gated, s}, 2, NULL, "y", 0, &y, 1, GIVEN));
  REFUSED(BP_E_UNSUPPORTED, bp_model_apply(model, "no such operator", &y, 1, NULL, NULL, 0, &symbol, 1, GIVEN));
  MUST(bp_model_output(model, y, NULL, GIVEN));
  MUST(bp_model_compile(c->runtime, model, &options, &compiled, GIVEN));
  REFUSED(BP_MORE, bp_compiled_report(compiled, BP_REPORT_MEMORY_JSON, text, sizeof text, &bytes, GIVEN));
  MUST(bp_session_create(compiled, &session, GIVEN));
  MUST(bp_session_write(session, x, values, sizeof values, GIVEN));
  MUST(bp_session_run(session, &rows, 1, NULL, GIVEN));
  MUST(bp_session_read(session, y, results, sizeof results, GIVEN));
  MUST(bp_session_bind(session, y, results, sizeof results, GIVEN));
  MUST(bp_session_run_async(session, &rows, 1, NULL, run_is_over, c, GIVEN));
  sem_wait(&c->over);
  MUST(bp_session_bind(session, y, NULL, 0, GIVEN));
  MUST(bp_session_address(session, x, &memory, &bytes, GIVEN));
  MUST(bp_cancellation_create(&cancellation, GIVEN));
  MUST(bp_cancellation_cancel(cancellation, GIVEN));
  run.cancellation = cancellation;
  REFUSED(BP_E_CANCELLED, bp_session_run(session, &rows, 1, &run, GIVEN));
  if (c->loops % 8 == 0) {
    MUST(bp_model_save(model, c->options->graph_path, GIVEN));
    MUST(bp_model_load(c->options->graph_path, NULL, &loaded, GIVEN));
    MUST(bp_free(loaded));
  }
  // In an order that differs, and one that is left on purpose where the caller wants to see it found.
  const void *handles[] = {model, compiled, session, cancellation};
  for (unsigned i = 0; i < 4; i++) {
    if (i == 0 && c->options->leak == churn_leaks_handles) continue;
    MUST(bp_free(handles[(i + c->loops) % 4]));
  }
  return 0;
}

static int text(churn *c, bp_model model) {
  bp_generator generator;
  bp_compiled compiled;
  bp_compile_options options = {sizeof options};
  options.devices = c->options->device;
  bp_generate_options wanted = {sizeof wanted};
  wanted.maximum_tokens = 2;
  char piece[64];
  size_t bytes;
  int32_t tokens[16], token, ending;
  bp_model own;
  MUST(bp_model_load(c->options->model_path, NULL, &own, GIVEN));
  MUST(bp_model_tokenize(own, "abc", tokens, 16, &bytes, GIVEN));
  MUST(bp_free(own));
  MUST(bp_generator_create(c->runtime, model, &options, &generator, GIVEN));
  MUST(bp_generate(generator, "abc", &wanted, hear, NULL, NULL, GIVEN));
  MUST(bp_generator_begin(generator, "abc", &wanted, GIVEN));
  MUST(bp_generator_next(generator, piece, sizeof piece, &bytes, &token, &ending, GIVEN));
  MUST(bp_generator_compiled(generator, &compiled, GIVEN));
  MUST(bp_free(generator));
  MUST(bp_free(compiled));
  return 0;
}

static int runtime(churn *c) {
  bp_runtime_options options = {sizeof options};
  options.flags = BP_RUNTIME_ONLY_PATHS | BP_RUNTIME_NO_PROBE | BP_RUNTIME_QUIET;
  options.threads = 2;
  static const char *const settings[] = {"cache.directory=none"};
  options.settings = settings;
  options.n_settings = 1;
  options.plugin_paths = &c->options->plugin_path;
  options.n_plugin_paths = c->options->plugin_path != NULL;
  size_t bytes;
  MUST(bp_runtime_create(&options, &c->runtime, GIVEN));
  if (c->options->plugin) MUST(bp_runtime_register(c->runtime, c->options->plugin, GIVEN));
  REFUSED(BP_MORE, bp_runtime_devices(c->runtime, NULL, 0, &bytes, GIVEN));
  return 0;
}

// A runtime with a graph of its own, so that its device, threads and stores have been used.
static int whole_runtime(churn *c) {
  if (runtime(c) || graph(c)) return 1;
  MUST(bp_free(c->runtime));
  return 0;
}

static uint64_t entries(const char *folder) {
  DIR *stream = opendir(folder);
  uint64_t count = 0;
  while (stream && readdir(stream)) count++;
  if (stream) closedir(stream);
  return count;
}

static churn_counts counts(void) {
  bp_memory_stats stats = {sizeof stats};
  bp_memory(&stats, NULL);
  malloc_trim(0);
  struct mallinfo2 heap = mallinfo2();
  return (churn_counts){heap.uordblks + heap.hblkhd, stats.resident, stats.live_handles, entries("/proc/self/task"), entries("/proc/self/fd")};
}

static int grown(churn *c, const char *unit, uint64_t before, uint64_t after, uint64_t allowed) {
  if (after <= before + allowed) return 0;
  snprintf(c->result->fault, sizeof c->result->fault, "after %llu %s %llu %s have grown to %llu, by more than %llu", (unsigned long long)c->loops, c->part->what,
           (unsigned long long)before, unit, (unsigned long long)after, (unsigned long long)allowed);
  return 1;
}

// The first fifth is for what is made once: threads, arenas, caches with a limit.
static int loop(churn *c, const char *what, uint64_t loops, uint64_t bytes_a_loop, int (*body)(churn *, bp_model), bp_model model) {
  c->part = &c->result->parts[c->result->n_parts++];
  *c->part = (churn_part){what, loops, {0}, {0}};
  churn_counts *first = &c->part->first, *last = &c->part->last;
  for (c->loops = 0; c->loops < loops; c->loops++) {
    if (c->loops == loops / 5) *first = counts();
    if (body(c, model)) return 1;
    if (c->options->leak == churn_leaks_memory) memset(malloc(256), 1, 256);
    if (c->options->leak == churn_leaks_files) (void)!dup(0);
  }
  // A thread that has said that a run is over still has to end.
  for (int i = 0; i < 300; i++) {
    *last = counts();
    if (last->threads <= first->threads && last->bytes <= first->bytes) break;
    usleep(10000);
  }
  uint64_t measured = loops - loops / 5;
  return grown(c, "handles", first->handles, last->handles, 0) || grown(c, "threads", first->threads, last->threads, 0) ||
         grown(c, "open files", first->files, last->files, 0) || grown(c, "bytes of malloc's", first->bytes, last->bytes, churn_noise + measured * bytes_a_loop) ||
         grown(c, "resident bytes", first->resident, last->resident, churn_resident_noise + measured * bytes_a_loop);
}

static int one_graph(churn *c, bp_model model) { return (void)model, graph(c); }
static int one_runtime(churn *c, bp_model model) { return (void)model, whole_runtime(c); }

static int all(churn *c) {
  churn_counts before = counts();
  bp_model model;
  if (runtime(c)) return 1;
  MUST(bp_model_load(c->options->model_path, NULL, &model, GIVEN));
  if (loop(c, "graphs", c->options->loops, 0, one_graph, NULL) || loop(c, "generators", c->options->loops / 10, 0, text, model)) return 1;
  MUST(bp_free(model));
  MUST(bp_free(c->runtime));
  if (loop(c, "runtimes", c->options->loops / 10, churn_bytes_a_runtime, one_runtime, NULL)) return 1;
  if (c->lent != c->given_back) return snprintf(c->result->fault, sizeof c->result->fault, "%llu weights were lent, %llu given back", (unsigned long long)c->lent, (unsigned long long)c->given_back), 1;
  return grown(c, "handles (everything is freed)", before.handles, counts().handles, 0);
}

churn_result capi_churn(const churn_options *options) {
  churn_result result = {0};
  churn *c = calloc(1, sizeof *c);
  c->options = options;
  c->result = &result;
  sem_init(&c->over, 0, 0);
  all(c);
  sem_destroy(&c->over);
  free(c);
  return result;
}
