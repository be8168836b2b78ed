// Single operators on a Vulkan device beside llama.cpp's Vulkan backend (ggml), interleaved in one process: quantized products, softmax, rotary embedding.
//   cc -O2 -std=gnu2x -IKernels/Vulkan/host/include -IGGML/include Tests/Peers/vulkan_ops.c Kernels/Vulkan/host/vulkan_*.c -LGGML/lib -lggml-vulkan -lggml-base -ldl -lm -o build/vulkan_ops
//   glslc --target-env=vulkan1.2 -fshader-stage=compute -IKernels/Vulkan Tests/Peers/vulkan_fma.comp -o build/vulkan_fma.spv    (the limit; without it none is shown)
//   GGML_VK_VISIBLE_DEVICES=0 build/vulkan_ops Kernels/Vulkan [ROUNDS [matmul|softmax|rope]]
// Times are the process's processor time, since a software driver works on this process's own threads and other programs may share the machine: milliseconds a
// run, median (least … largest) of the rounds. Each pair of results is compared.
#define _GNU_SOURCE
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-vulkan.h"
#include "ggml.h"
#include "vulkan_calls.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bp_vk_device *device;
static ggml_backend_t peer;
static const char *folder;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}
static void check(int status, const char *what) {
  if (status < 0) { fprintf(stderr, "%s failed (%d)\n", what, status); exit(1); }
}
static float noise(void) {
  static uint32_t state = 1;
  state = state * 1664525u + 1013904223u;
  return (float)(state >> 8) * 0x1p-23f - 1;
}

// ---- this project's kernels -------------------------------------------------------------------------------------------------

typedef struct { bp_vk_memory blocks; bp_vk_commands commands; } Launch;
typedef struct { char bytes[1024]; size_t at; } Block;
static void put(Block *b, const void *value, size_t size) {
  b->at = (b->at + size - 1) / size * size;
  memcpy(b->bytes + b->at, value, size);
  b->at += size;
}
static void put_long(Block *b, int64_t value) { put(b, &value, 8); }
static void put_int(Block *b, int32_t value) { put(b, &value, 4); }
static void put_float(Block *b, float value) { put(b, &value, 4); }
static void put_extents(Block *b, int last) { for (int i = 0; i < 8; i++) put_int(b, i == 7 ? last : 1); }
static void put_steps(Block *b, int64_t last) { for (int i = 0; i < 8; i++) put_long(b, i == 7 ? last : 0); }

static bp_vk_memory allocate(uint64_t bytes) {
  bp_vk_memory memory;
  check(bp_vk_allocate(device, (bytes + 63) & ~63ull, 0, 1, &memory), "vkAllocateMemory");
  return memory;
}

// The number of the specialisation constant that has this name.
static uint32_t constant(const uint32_t *code, size_t words, const char *name) {
  uint32_t id = 0;
  if (strcmp(name, "LOCAL") == 0) return 0;
  for (size_t at = 5; at < words; at += code[at] >> 16) {
    if ((code[at] & 0xffff) == 5 && strcmp((const char *)&code[at + 2], name) == 0) id = code[at + 1];
    if (id && (code[at] & 0xffff) == 71 && code[at + 1] == id && code[at + 2] == 1) return code[at + 3];
  }
  fprintf(stderr, "there is no constant %s\n", name);
  exit(1);
}

// `defines`: "NAME=number …".
static Launch prepare(const char *shader, const char *defines, Block *block, uint32_t groups) {
  char path[512], list[256];
  snprintf(path, sizeof path, strchr(shader, '/') ? "%2$s.spv" : "%1$s/%2$s.spv", folder, shader);
  FILE *file = fopen(path, "rb");
  if (!file) { perror(path); exit(1); }
  static uint32_t code[1 << 18];
  size_t words = fread(code, 4, 1 << 18, file);
  fclose(file);
  uint32_t ids[32], values[32], count = 0;
  snprintf(list, sizeof list, "%s", defines);
  for (char *word = strtok(list, " "); word; word = strtok(0, " ")) {
    char *equals = strchr(word, '=');
    *equals = 0;
    ids[count] = constant(code, words, word), values[count++] = (uint32_t)atoi(equals + 1);
  }
  VkPipeline pipeline;
  check(bp_vk_pipeline(device, code, words * 4, ids, values, count, &pipeline), shader);
  Launch launch = {.blocks = allocate(1024)};
  memcpy(launch.blocks.host, block->bytes, 1008);
  memcpy(launch.blocks.host + 1008, (uint32_t[]){groups, 1, 1}, 12);
  check(bp_vk_commands_create(device, &launch.blocks, 0, &launch.commands), "vkCreateCommandPool");
  check(bp_vk_begin(device, &launch.commands), "vkBeginCommandBuffer");
  bp_vk_launch(device, &launch.commands, pipeline, &launch.blocks, 0, 1008);
  check(bp_vk_end(device, &launch.commands), "vkEndCommandBuffer");
  return launch;
}

// ---- the comparison ---------------------------------------------------------------------------------------------------------

static int compare(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }
static void figure(double *times, int count, const char *unit, double work) {
  qsort(times, (size_t)count, sizeof *times, compare);
  printf(" | %9.3f (%.3f … %.3f) ms, %6.2f %s", times[count / 2], times[0], times[count - 1], work / times[count / 2] * 1e-6, unit);
}

// Runs both in turn; `result` holds this project's result, `out` the peer's.
static void race(const char *name, Launch *own, struct ggml_context *context, struct ggml_tensor *out, const float *result, int rounds, const char *unit, double work) {
  struct ggml_cgraph *graph = ggml_new_graph(context);
  ggml_build_forward_expand(graph, out);
  double ours[64], theirs[64], worst = 0, most = 0;
  for (int i = -1; i < rounds; i++) { // the first run compiles
    double t0 = now();
    check(bp_vk_run(device, &own->commands, ~0ull), "vkQueueSubmit");
    double t1 = now();
    if (ggml_backend_graph_compute(peer, graph) != GGML_STATUS_SUCCESS) { fprintf(stderr, "the peer failed\n"); exit(1); }
    ggml_backend_synchronize(peer);
    if (i >= 0) ours[i] = t1 - t0, theirs[i] = now() - t1;
  }
  size_t count = (size_t)ggml_nelements(out);
  float *values = malloc(count * 4);
  ggml_backend_tensor_get(out, values, 0, count * 4);
  for (size_t i = 0; i < count; i++) worst = fmax(worst, fabs((double)values[i] - result[i])), most = fmax(most, fabs(result[i]));
  free(values);
  printf("%-34s", name);
  figure(ours, rounds, unit, work);
  figure(theirs, rounds, unit, work);
  printf(" | %5.1f | %.1e\n", theirs[rounds / 2] / ours[rounds / 2], worst / most);
  fflush(stdout);
}

static struct ggml_context *context(void) { return ggml_init((struct ggml_init_params){.mem_size = 1 << 20, .no_alloc = 1}); }

// The words of formats are those of host/words.def.
static void product(enum ggml_type type, int word, int64_t m, int64_t n, int64_t k, int rounds) {
  size_t row = ggml_row_size(type, k);
  float *weights = malloc((size_t)(n * k) * 4), *input = malloc((size_t)(m * k) * 4);
  void *packed = malloc(row * (size_t)n);
  for (int64_t i = 0; i < n * k; i++) weights[i] = noise();
  for (int64_t i = 0; i < m * k; i++) input[i] = noise();
  ggml_quantize_chunk(type, weights, packed, 0, n, k, 0);
  bp_vk_memory a = allocate((uint64_t)(m * k) * 4), b = allocate(row * (uint64_t)n), y = allocate((uint64_t)(m * n) * 4);
  memcpy(a.host, input, (size_t)(m * k) * 4);
  memcpy(b.host, packed, row * (size_t)n);
  Block block = {};
  int64_t numbers[] = {(int64_t)y.address, (int64_t)a.address, (int64_t)b.address, 0, 0, 0, m, n, k, 1, n * 4, 4, k * 4, 4, (int64_t)row, 4, 0, 0, 0, 0, 0};
  for (size_t i = 0; i < sizeof numbers / 8; i++) put_long(&block, numbers[i]);
  put_extents(&block, 1);
  for (int i = 0; i < 5; i++) put_steps(&block, 0);
  char defines[128], name[64];
  int rows = m == 1 ? 1 : 8;
  snprintf(defines, sizeof defines, "LOCAL=8 A=1 B=%d ROWS=%d COLUMNS=4", word, rows);
  Launch own = prepare("tile", defines, &block, (uint32_t)((n + 31) / 32 * ((m + rows - 1) / rows)));
  struct ggml_context *c = context();
  struct ggml_tensor *w = ggml_new_tensor_2d(c, type, k, n), *x = ggml_new_tensor_2d(c, GGML_TYPE_F32, k, m), *out = ggml_mul_mat(c, w, x);
  ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors(c, peer);
  ggml_backend_tensor_set(w, packed, 0, row * (size_t)n);
  ggml_backend_tensor_set(x, input, 0, (size_t)(m * k) * 4);
  snprintf(name, sizeof name, "matmul %s %lldx%lldx%lld", ggml_type_name(type), (long long)m, (long long)n, (long long)k);
  race(name, &own, c, out, (const float *)y.host, rounds, "GFLOP/s", 2.0 * (double)(m * n * k));
  ggml_backend_buffer_free(buffer);
  ggml_free(c);
  free(weights), free(input), free(packed);
}

static void softmax(int64_t rows, int64_t count, int rounds) {
  size_t bytes = (size_t)(rows * count) * 4;
  bp_vk_memory x = allocate(bytes), y = allocate(bytes);
  for (int64_t i = 0; i < rows * count; i++) ((float *)x.host)[i] = 4 * noise();
  Block block = {};
  int64_t numbers[] = {(int64_t)y.address, (int64_t)x.address, 0, rows, count, 4, 4, 0};
  for (size_t i = 0; i < sizeof numbers / 8; i++) put_long(&block, numbers[i]);
  put_float(&block, 1);
  put_extents(&block, (int)rows);
  put_steps(&block, count * 4), put_steps(&block, count * 4), put_steps(&block, 0);
  char defines[128], name[64];
  int64_t steps = (count + 15) / 16;
  snprintf(defines, sizeof defines, "LOCAL=8 PAIRS=%lld", (long long)(steps <= 64 && count % 2 == 0 ? steps : 0));
  Launch own = prepare("softmax", defines, &block, (uint32_t)rows);
  struct ggml_context *c = context();
  struct ggml_tensor *in = ggml_new_tensor_2d(c, GGML_TYPE_F32, count, rows), *out = ggml_soft_max(c, in);
  ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors(c, peer);
  ggml_backend_tensor_set(in, x.host, 0, bytes);
  snprintf(name, sizeof name, "softmax %lldx%lld", (long long)rows, (long long)count);
  race(name, &own, c, out, (const float *)y.host, rounds, "G elements/s", (double)(rows * count));
  ggml_backend_buffer_free(buffer);
  ggml_free(c);
}

static void rope(int64_t tokens, int64_t heads, int64_t width, int rounds) {
  int64_t row = heads * width;
  size_t bytes = (size_t)(tokens * row) * 4;
  bp_vk_memory x = allocate(bytes), y = allocate(bytes), positions = allocate((uint64_t)tokens * 4), frequencies = allocate((uint64_t)width * 2);
  for (int64_t i = 0; i < tokens * row; i++) ((float *)x.host)[i] = noise();
  for (int64_t i = 0; i < tokens; i++) ((int32_t *)positions.host)[i] = (int32_t)i;
  for (int64_t i = 0; i < width / 2; i++) ((float *)frequencies.host)[i] = (float)pow(10000, -2.0 * (double)i / (double)width);
  Block block = {};
  int64_t numbers[] = {(int64_t)y.address, (int64_t)x.address, 0, (int64_t)positions.address, (int64_t)frequencies.address, tokens * heads, width, heads, tokens, width / 2,
                       4, 4, 0, 4, 4};
  for (size_t i = 0; i < sizeof numbers / 8; i++) put_long(&block, numbers[i]);
  put_float(&block, 0), put_float(&block, 0), put_float(&block, 1), put_int(&block, 0);
  put_extents(&block, (int)(tokens * heads));
  put_steps(&block, width * 4), put_steps(&block, width * 4);
  Launch own = prepare("rope", "LOCAL=8 HEADS=4 WIDE=1", &block, (uint32_t)(tokens * ((heads + 3) / 4)));
  struct ggml_context *c = context();
  struct ggml_tensor *in = ggml_new_tensor_3d(c, GGML_TYPE_F32, width, heads, tokens), *at = ggml_new_tensor_1d(c, GGML_TYPE_I32, tokens);
  struct ggml_tensor *out = ggml_rope_ext(c, in, at, 0, (int)width, 2 /* halves, as GPT-NeoX */, 0, 10000, 1, 0, 1, 0, 0);
  ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors(c, peer);
  ggml_backend_tensor_set(in, x.host, 0, bytes);
  ggml_backend_tensor_set(at, positions.host, 0, (size_t)tokens * 4);
  char name[64];
  snprintf(name, sizeof name, "rope %lldx%lldx%lld", (long long)tokens, (long long)heads, (long long)width);
  race(name, &own, c, out, (const float *)y.host, rounds, "G elements/s", (double)(tokens * row));
  ggml_backend_buffer_free(buffer);
  ggml_free(c);
}

// What multiplications and additions in registers reach, in the median of `rounds`.
static void limit(int rounds) {
  if (access("build/vulkan_fma.spv", R_OK)) return;
  const uint32_t groups = 64;
  Block block = {};
  bp_vk_memory y = allocate(groups * 8 * 4);
  put_long(&block, (int64_t)y.address);
  Launch own = prepare("build/vulkan_fma", "LOCAL=8", &block, groups);
  double times[64];
  for (int i = -1; i < rounds; i++) {
    double t0 = now();
    check(bp_vk_run(device, &own.commands, ~0ull), "vkQueueSubmit");
    if (i >= 0) times[i] = now() - t0;
  }
  qsort(times, (size_t)rounds, sizeof *times, compare);
  printf("limit of the driver's arithmetic: %.1f GFLOP/s\n", groups * 8 * 100000.0 * 16 * 2 / times[rounds / 2] * 1e-6);
}

int main(int count, char **arguments) {
  if (count < 2) { fprintf(stderr, "usage: vulkan_ops FOLDER-OF-SHADERS [ROUNDS [matmul|softmax|rope]]\n"); return 1; }
  folder = arguments[1];
  int rounds = count > 2 ? atoi(arguments[2]) : 7;
  rounds = rounds < 1 ? 1 : rounds > 64 ? 64 : rounds;
  bp_vk_instance *instance;
  char why[256];
  int status = bp_vk_open(0, 0, 0, 0, &instance, why);
  if (status < 0) { fprintf(stderr, "%s\n", why); return 1; }
  bp_vk_facts facts;
  bp_vk_describe(instance, 0, &facts);
  check(bp_vk_device_open(instance, 0, &facts, 1024, 0, 0, &device), "vkCreateDevice");
  peer = ggml_backend_vk_init(0);
  if (!peer) { fprintf(stderr, "llama.cpp's Vulkan backend has no device\n"); return 1; }
  printf("%s, %d rounds | this project | llama.cpp | ratio | largest difference of the largest value\n", facts.name, rounds);
  limit(rounds);
  const char *only = count > 3 ? arguments[3] : "";
  if (!*only || !strcmp(only, "matmul")) {
    product(GGML_TYPE_Q4_0, 11, 1, 2048, 2048, rounds);
    product(GGML_TYPE_Q4_0, 11, 64, 1024, 1024, rounds);
    product(GGML_TYPE_Q8_0, 15, 64, 1024, 1024, rounds);
    product(GGML_TYPE_Q4_K, 18, 1, 2048, 2048, rounds);
    product(GGML_TYPE_Q4_K, 18, 64, 1024, 1024, rounds);
    product(GGML_TYPE_Q6_K, 20, 64, 1024, 1024, rounds);
  }
  if (!*only || !strcmp(only, "softmax")) {
    softmax(256, 1024, rounds);
    softmax(1024, 128, rounds);
    softmax(64, 4096, rounds);
  }
  if (!*only || !strcmp(only, "rope")) {
    rope(256, 8, 128, rounds);
    rope(64, 4, 256, rounds);
  }
  return 0;
}
