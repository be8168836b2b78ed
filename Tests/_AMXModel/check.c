// Tile instructions against numbers worked out by hand: of the model (BP_AMX_MODEL 1), or of the processor that this runs on (0).
//
// Prints what is wrong, a line each, and ends with 0 when nothing is, 77 where the processor or the system has no tiles.
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "amx_tiles.h"

static int wrong;
static void expect(const char *what, double actual, double expected) {
  if (actual == expected || (isnan(actual) && isnan(expected))) return;
  printf("%s is %.9g instead of %.9g\n", what, actual, expected);
  wrong = 1;
}

static void wholeNumbers(void) {
  // Two rows of eight bytes; of b columns 0 and 1, four bytes a row each.
  static const signed char a[2][8] = {{1, 2, 3, 4, -1, -2, -3, -4}, {127, 127, 127, 127, -128, -128, -128, -128}};
  static const signed char b[2][64] = {{1, 1, 1, 1, -128, -128, -128, -128}, {2, 0, 0, 0, 127, 127, 127, 127}};
  int32_t c[2][20] = {{0x7fffffff, 5}, {0, 0}}; // rows lie 80 bytes apart
  c[0][16] = c[1][16] = 77;
  bp_amx_config config = bp_amx_products(2, 8);
  bp_amx_configure(&config);
  bp_amx_load(0, c, 80);
  bp_amx_load(4, a, 8);
  bp_amx_load(6, b, 64);
  bp_amx_dpbssd(0, 4, 6);
  bp_amx_store(0, c, 80);
  expect("1 + 2 + 3 + 4 - 2 and the largest number, which wraps", c[0][0], -2147483641.0);
  expect("5 - 128 * 10 - 127 * 10", c[0][1], -2545);
  expect("4 * 127 - 2 * 128", c[1][0], 252);
  expect("-8 * 127 * 128", c[1][1], -130048);
  expect("a column of zeros", c[1][15], 0);
  expect("what lies behind a row", c[0][16] + c[1][16], 154);
  bp_amx_zero(0);
  bp_amx_store(0, c, 80);
  expect("a tile of zeros", c[0][0] | c[0][1] | c[1][0] | c[1][1], 0);
  bp_amx_release();
}

static uint16_t bf16(float x) { // exact for the numbers here
  uint32_t word;
  memcpy(&word, &x, 4);
  return (uint16_t)(word >> 16);
}

// c + the sum of products of `pairs` pairs (1 to 16).
static float sum(float c, int pairs, const float (*a)[2], const float (*b)[2]) {
  uint16_t x[1][32] = {0}, y[16][32] = {0};
  float to[1][16] = {{0}};
  for (int k = 0; k < pairs; k++)
    for (int i = 0; i < 2; i++) x[0][2 * k + i] = bf16(a[k][i]), y[k][2 * 3 + i] = bf16(b[k][i]); // column 3
  to[0][3] = c;
  bp_amx_config config = bp_amx_products(1, 4 * pairs);
  bp_amx_configure(&config);
  bp_amx_load(1, to, 64);
  bp_amx_load(5, x, 64);
  bp_amx_load(7, y, 64);
  bp_amx_dpbf16ps(1, 5, 7);
  bp_amx_store(1, to, 64);
  bp_amx_release();
  return to[0][3];
}
#define PAIRS(...) (const float[][2]){__VA_ARGS__}

static void floats(void) {
  expect("1 * 3 + 2 * 4 + 0.5", sum(0.5f, 1, PAIRS({1, 2}), PAIRS({3, 4})), 11.5);
  // First elements add up to 2^24, twice half a unit being lost; second ones to 2, which is a whole unit.
  expect("2^24 + 1 + 1 and 1 + 1", sum(0, 3, PAIRS({0x1p24f, 0}, {1, 1}, {1, 1}), PAIRS({1, 1}, {1, 1}, {1, 1})), 16777218);
  expect("2^24 + 2", sum(0, 2, PAIRS({0x1p24f, 0}, {2, 0}), PAIRS({1, 1}, {1, 1})), 16777218);
  // Half a unit above an odd number goes up, to the even one.
  expect("2^24 + 2 + 1", sum(0, 3, PAIRS({0x1p24f, 0}, {2, 0}, {1, 0}), PAIRS({1, 1}, {1, 1}, {1, 1})), 16777220);
  // The sums of pairs meet before c comes: 2^24 + (1 + 1), not (2^24 + 1) + 1.
  expect("c = 2^24, 1 and 1", sum(0x1p24f, 1, PAIRS({1, 1}), PAIRS({1, 1})), 16777218);
  expect("a subnormal factor", sum(0, 1, PAIRS({0x1p-130f, 0}), PAIRS({0x1p20f, 0})), 0);
  expect("a subnormal product", sum(0, 1, PAIRS({0x1p-70f, 0}), PAIRS({0x1p-70f, 0})), 0);
  expect("a subnormal c", sum(0x1p-130f, 1, PAIRS({0x1p-126f, 0}), PAIRS({1, 0})), 0x1p-126);
  expect("a subnormal sum", sum(0x1.8p-126f, 1, PAIRS({-0x1p-126f, 0}), PAIRS({1, 0})), 0);
  expect("infinity", sum(1, 1, PAIRS({INFINITY, 1}), PAIRS({2, 1})), INFINITY);
  expect("infinity times 0", sum(1, 1, PAIRS({INFINITY, 1}), PAIRS({0, 1})), NAN);
  expect("infinity times a subnormal", sum(1, 1, PAIRS({INFINITY, 1}), PAIRS({0x1p-130f, 1})), NAN);
}

static void unfit(void) { // a has more pairs than b has rows
  bp_amx_config config = bp_amx_products(4, 32);
  config.rows[6] = 4;
  bp_amx_configure(&config);
  bp_amx_dpbssd(0, 4, 6);
}
static void tooManyRows(void) {
  bp_amx_config config = bp_amx_products(16, 64);
  config.rows[2] = 17;
  bp_amx_configure(&config);
}
static void released(void) {
  bp_amx_config config = bp_amx_products(16, 64);
  bp_amx_configure(&config);
  bp_amx_release();
  bp_amx_zero(0);
}
static void dies(const char *what, void (*work)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    work();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return;
  printf("%s is taken\n", what);
  wrong = 1;
}

int main(void) {
#if !BP_AMX_MODEL
  if (syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18) != 0) return 77;
#endif
  wholeNumbers();
  floats();
  dies("a product of tiles that do not fit", unfit);
  dies("a tile of 17 rows", tooManyRows);
  dies("a tile after the release", released);
  return wrong;
}
