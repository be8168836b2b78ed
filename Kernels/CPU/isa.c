// What this processor can run, and what a user may force.
#define _GNU_SOURCE
#include <string.h>
#include "cpu_kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t enabled_state(void) { // XCR0: what the operating system saves on a switch
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}
static int bit(uint32_t word, int i) { return word >> i & 1; }

static const char *missing_of_amx(void) {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !bit(c, 27) || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return "CPUID's leaf 7, or OSXSAVE";
  if (!bit(d, 24)) return "AMX-TILE (CPUID 7.0 EDX bit 24)";
  if (!bit(d, 25)) return "AMX-INT8 (CPUID 7.0 EDX bit 25)";
  if (!bit(d, 22)) return "AMX-BF16 (CPUID 7.0 EDX bit 22)";
  return (enabled_state() & 0x60000) == 0x60000 ? 0 : "a system that saves tiles (XCR0 bits 17 and 18)";
}

uint32_t bp_cpu_detect(void) {
  uint32_t a, b, c, d, found = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  if (!bit(c, 27) || !bit(c, 28) || !bit(c, 12) || !bit(c, 29)) return 0; // OSXSAVE, AVX, FMA, F16C
  uint64_t state = enabled_state();
  uint32_t b7, c7, a71 = 0;
  if ((state & 6) != 6 || !__get_cpuid_count(7, 0, &a, &b7, &c7, &d)) return 0;
  if (a >= 1) __get_cpuid_count(7, 1, &a71, &b, &c, &d);
  if (!bit(b7, 5) || !bit(b7, 3) || !bit(b7, 8)) return 0; // AVX2, BMI1, BMI2
  found = BP_CPU_AVX2 | BP_CPU_AMXMODEL;
  if (bit(a71, 4)) found |= BP_CPU_AVXVNNI;
  if ((state & 0xe6) != 0xe6 || !bit(b7, 16) || !bit(b7, 30) || !bit(b7, 31) || !bit(b7, 17)) return found; // F, BW, VL, DQ
  found |= BP_CPU_AVX512;
  if (bit(c7, 11)) found |= BP_CPU_AVX512VNNI;
  if (bit(a71, 5)) found |= BP_CPU_AVX512BF16;
  uint64_t permitted = 0; // 0x1022: ARCH_GET_XCOMP_PERM
  if (!missing_of_amx() && syscall(SYS_arch_prctl, 0x1022, &permitted) == 0 && permitted >> 18 & 1) found |= BP_CPU_AMX;
  return found;
}

const char *bp_cpu_want_amx(void) {
  const char *missing = missing_of_amx();
  if (missing) return missing;
  return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */) == 0 ? 0
    : "the system's leave to use tiles (arch_prctl ARCH_REQ_XCOMP_PERM failed: Linux before 5.16, or an alternate signal stack too small for tiles)";
}

void bp_cpu_brand(char *name) {
  uint32_t words[12] = {0};
  name[0] = 0;
  if (__get_cpuid_max(0x80000000, 0) < 0x80000004) return;
  for (uint32_t i = 0; i < 3; i++) __get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]);
  const char *text = (const char *)words;
  uint32_t n = 0;
  for (uint32_t i = 0; i < sizeof words && text[i]; i++) if (text[i] != ' ' || n) name[n++] = text[i];
  while (n && name[n - 1] == ' ') n--;
  name[n] = 0;
}
#elif defined(__aarch64__)
#include <sys/auxv.h>

const char *bp_cpu_want_amx(void) { return "an x86-64 processor"; }

uint32_t bp_cpu_detect(void) {
  unsigned long first = getauxval(AT_HWCAP), second = getauxval(AT_HWCAP2);
  uint32_t found = first >> 1 & 1 ? BP_CPU_NEON : 0; // ASIMD
  if (first >> 20 & 1) found |= BP_CPU_DOTPROD;
  if (second >> 13 & 1) found |= BP_CPU_I8MM;
  return found;
}
void bp_cpu_brand(char *name) { name[0] = 0; }
#else
const char *bp_cpu_want_amx(void) { return "an x86-64 processor"; }
uint32_t bp_cpu_detect(void) { return 0; }
void bp_cpu_brand(char *name) { name[0] = 0; }
#endif

uint32_t bp_cpu_isa_bits(const char *name, uint64_t length) {
  enum { avx512 = BP_CPU_AVX2 | BP_CPU_AVX512, vnni = avx512 | BP_CPU_AVX512VNNI | BP_CPU_AVXVNNI, bf16 = vnni | BP_CPU_AVX512BF16 };
  static const struct { const char *name; uint32_t bits; } levels[] = {
    {"", 0xffffffff}, {"auto", 0xffffffff}, {"scalar", 0}, {"avx2", BP_CPU_AVX2}, {"avxvnni", BP_CPU_AVX2 | BP_CPU_AVXVNNI},
    {"avx512", avx512}, {"avx512vnni", vnni}, {"avx512bf16", bf16}, {"amx", bf16 | BP_CPU_AMX}, {"amxmodel", BP_CPU_AVX2 | BP_CPU_AMXMODEL},
    {"neon", BP_CPU_NEON},
    {"dotprod", BP_CPU_NEON | BP_CPU_DOTPROD}, {"i8mm", BP_CPU_NEON | BP_CPU_DOTPROD | BP_CPU_I8MM},
  };
  for (uint32_t i = 0; i < sizeof levels / sizeof *levels; i++)
    if (strlen(levels[i].name) == length && memcmp(levels[i].name, name, length) == 0) return levels[i].bits;
  return BP_CPU_UNKNOWN_ISA;
}
