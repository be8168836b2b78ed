#include "backplane_limits.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

enum { CHAINS = 12, ROUNDS = 1 << 14, MOST_THREADS = 256 }; // chains hide an instruction's latency

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// A result that the compiler must not drop.
#define KEEP(x) __asm__ volatile("" : : "m"(x) : "memory")

// CHAINS chains of ROUNDS instructions each.
#define LOOP(type, first, step)                                  \
  do {                                                           \
    type sum[CHAINS];                                            \
    for (int i = 0; i < CHAINS; i++) sum[i] = first;             \
    for (int n = 0; n < ROUNDS; n++)                             \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) sum[i] = step; \
    KEEP(sum);                                                   \
  } while (0)

#if defined(__x86_64__)
#define WITH(features) __attribute__((target(features), noinline))
WITH("avx2,fma") static void fma_256(void) {
  __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.5f);
  LOOP(__m256, _mm256_set1_ps((float)i), _mm256_fmadd_ps(sum[i], a, b));
}
WITH("avx512f") static void fma_512(void) {
  __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.5f);
  LOOP(__m512, _mm512_set1_ps((float)i), _mm512_fmadd_ps(sum[i], a, b));
}
WITH("avx2,avxvnni") static void int8_256(void) {
  __m256i a = _mm256_set1_epi8(77), b = _mm256_set1_epi8(-55);
  LOOP(__m256i, _mm256_set1_epi32(i), _mm256_dpbusd_avx_epi32(sum[i], a, b));
}
WITH("avx512f,avx512vnni") static void int8_512(void) {
  __m512i a = _mm512_set1_epi8(77), b = _mm512_set1_epi8(-55);
  LOOP(__m512i, _mm512_set1_epi32(i), _mm512_dpbusd_epi32(sum[i], a, b));
}
WITH("avx512f,avx512bf16") static void bf16_512(void) {
  __m512bh a = (__m512bh)_mm512_set1_epi16(0x3f7f), b = (__m512bh)_mm512_set1_epi16((short)0xbf7f);
  LOOP(__m512, _mm512_set1_ps((float)i), _mm512_dpbf16_ps(sum[i], a, b));
}

static uint64_t saved_registers(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}
static int has(int kind) {
  uint32_t a, b, c, d, b7 = 0, c7 = 0, a71 = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1) || !(c >> 12 & 1)) return 0; // OSXSAVE, FMA
  uint64_t state = saved_registers();
  if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d)) return 0;
  if (a >= 1) __get_cpuid_count(7, 1, &a71, &b, &c, &d);
  int avx2 = (state & 6) == 6 && b7 >> 5 & 1, avx512 = avx2 && (state & 0xe6) == 0xe6 && b7 >> 16 & 1;
  switch (kind) {
  case BP_LIMIT_FMA_256: return avx2;
  case BP_LIMIT_FMA_512: return avx512;
  case BP_LIMIT_INT8_256: return avx2 && a71 >> 4 & 1;
  case BP_LIMIT_INT8_512: return avx512 && c7 >> 11 & 1;
  case BP_LIMIT_BF16_512: return avx512 && a71 >> 5 & 1;
  default: return 0;
  }
}
#elif defined(__aarch64__)
#include <arm_neon.h>
static void fma_128(void) {
  float32x4_t a = vdupq_n_f32(0.999f), b = vdupq_n_f32(0.5f);
  LOOP(float32x4_t, vdupq_n_f32((float)i), vfmaq_f32(b, sum[i], a));
}
static int has(int kind) { return kind == BP_LIMIT_FMA_128; }
#else
static int has(int kind) { (void)kind; return 0; }
#endif

static const struct { const char *name; double operations; void (*run)(void); } kinds[BP_LIMIT_KINDS] = {
#if defined(__x86_64__)
  [BP_LIMIT_FMA_256] = {"f32 FMA, AVX2", 16, fma_256},
  [BP_LIMIT_FMA_512] = {"f32 FMA, AVX-512", 32, fma_512},
  [BP_LIMIT_INT8_256] = {"int8 products, AVX-VNNI", 64, int8_256},
  [BP_LIMIT_INT8_512] = {"int8 products, AVX-512 VNNI", 128, int8_512},
  [BP_LIMIT_BF16_512] = {"bf16 products, AVX-512 BF16", 64, bf16_512},
#elif defined(__aarch64__)
  [BP_LIMIT_FMA_128] = {"f32 FMA, NEON", 8, fma_128},
#else
  [0] = {0, 0, 0},
#endif
};
const char *bp_limit_name(int kind) { return kind >= 0 && kind < BP_LIMIT_KINDS && kinds[kind].name ? kinds[kind].name : ""; }

// Reading: eight sums, so that no chain limits it.
static void read_plain(const char *p, size_t bytes) {
  uint64_t sum[8] = {0}, part[8];
  for (size_t i = 0; i + sizeof part <= bytes; i += sizeof part) {
    memcpy(part, p + i, sizeof part);
    for (int j = 0; j < 8; j++) sum[j] ^= part[j];
  }
  KEEP(sum);
}
#if defined(__x86_64__)
WITH("avx2") static void read_256(const char *p, size_t bytes) {
  __m256i sum[8] = {0};
  for (size_t i = 0; i + 256 <= bytes; i += 256)
    for (int j = 0; j < 8; j++) sum[j] = _mm256_xor_si256(sum[j], _mm256_loadu_si256((const __m256i *)(p + i) + j));
  KEEP(sum);
}
WITH("avx512f") static void read_512(const char *p, size_t bytes) {
  __m512i sum[8];
  for (int j = 0; j < 8; j++) sum[j] = _mm512_setzero_si512();
  for (size_t i = 0; i + 512 <= bytes; i += 512)
    for (int j = 0; j < 8; j++) sum[j] = _mm512_xor_si512(sum[j], _mm512_loadu_si512((const __m512i *)(p + i) + j));
  KEEP(sum);
}
#endif

// What one thread does, begun when `go` says so; `rate` is its best pass.
typedef struct work {
  int kind; // -1 reads
  const char *p;
  size_t bytes;
  double seconds, rate;
  atomic_int *go;
} work;

static void *measure(void *argument) {
  work *w = argument;
  void (*read)(const char *, size_t) = read_plain;
#if defined(__x86_64__)
  if (has(BP_LIMIT_FMA_512)) read = read_512;
  else if (has(BP_LIMIT_FMA_256)) read = read_256;
#endif
  size_t repeats = w->kind < 0 ? 1 + (1 << 20) / (w->bytes + 1) : 1; // clocks are coarse for small footprints
  while (!atomic_load(w->go)) sched_yield();
  for (double begin = now(), from = begin, to; from - begin < w->seconds; from = to) {
    for (size_t i = 0; i < repeats; i++) {
      if (w->kind < 0) read(w->p, w->bytes);
      else kinds[w->kind].run();
    }
    to = now();
    double rate = (w->kind < 0 ? (double)w->bytes * (double)repeats : kinds[w->kind].operations * CHAINS * ROUNDS) / (to - from) * 1e-9;
    if (rate > w->rate) w->rate = rate;
  }
  return 0;
}

static double together(work *works, int threads) {
  pthread_t ids[MOST_THREADS];
  atomic_int go = 0;
  int started = 1;
  for (int i = 0; i < threads; i++) works[i].go = &go;
  while (started < threads && pthread_create(&ids[started], 0, measure, &works[started]) == 0) started++;
  atomic_store(&go, 1);
  measure(&works[0]);
  double sum = works[0].rate;
  for (int i = 1; i < started; i++) {
    pthread_join(ids[i], 0);
    sum += works[i].rate;
  }
  return started == threads ? sum : 0;
}

double bp_limit_rate(int kind, int threads, double seconds) {
  work works[MOST_THREADS];
  if (kind < 0 || kind >= BP_LIMIT_KINDS || !has(kind) || threads < 1) return 0;
  if (threads > MOST_THREADS) threads = MOST_THREADS;
  for (int i = 0; i < threads; i++) works[i] = (work){.kind = kind, .seconds = seconds};
  return together(works, threads);
}

double bp_limit_read(const void *p, size_t bytes, int threads, double seconds) {
  work works[MOST_THREADS];
  if (threads < 1 || bytes == 0) return 0;
  if (threads > MOST_THREADS) threads = MOST_THREADS;
  size_t share = bytes / (size_t)threads;
  for (int i = 0; i < threads; i++) works[i] = (work){.kind = -1, .p = (const char *)p + share * (size_t)i, .bytes = share, .seconds = seconds};
  return together(works, threads);
}
