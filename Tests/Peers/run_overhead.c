// What a run costs through the C interface, beside `backplane bench FILE.graph`, which runs the same from Swift:
//   run_overhead write FILE.graph      writes a graph of one small operator
//   run_overhead FILE.graph [DEVICE]   median time of a run: plain, with its memory bound, and asynchronous
#define _POSIX_C_SOURCE 200809L
#include <backplane.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { rounds = 5, runs = 20000 };
static bp_failure failure = {sizeof failure};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}
static void must(int32_t status) {
  if (status == BP_OK) return;
  fprintf(stderr, "%s\n", failure.message);
  exit(1);
}
static int ascending(const void *a, const void *b) { return *(const double *)a < *(const double *)b ? -1 : 1; }
static void print(const char *what, double *times) {
  qsort(times, rounds, sizeof *times, ascending);
  printf("%-14s %.2f us a run (%.2f … %.2f)\n", what, times[rounds / 2], times[0], times[rounds - 1]);
}
static void done(void *user, int32_t status, const bp_failure *why) {
  (void)status, (void)why;
  sem_post(user);
}

int main(int argc, char **argv) {
  bp_model model;
  uint32_t x, y;
  const int64_t extents[] = {4};
  if (argc == 3 && !strcmp(argv[1], "write")) {
    must(bp_model_create(&model, &failure));
    must(bp_model_input(model, "x", "f32", 1, extents, &x, &failure));
    must(bp_model_apply(model, "relu", &x, 1, NULL, "y", 0, &y, 1, &failure));
    must(bp_model_output(model, y, NULL, &failure));
    must(bp_model_save(model, argv[2], &failure));
    return 0;
  }
  if (argc < 2) return 2;
  bp_runtime runtime;
  bp_compiled compiled;
  bp_session session;
  bp_compile_options options = {sizeof options};
  options.devices = argc > 2 ? argv[2] : "cpu";
  float input[4] = {0}, output[4];
  double times[rounds];
  must(bp_runtime_create(NULL, &runtime, &failure));
  must(bp_model_load(argv[1], NULL, &model, &failure));
  must(bp_model_tensor(model, "x", &x, &failure));
  must(bp_model_tensor(model, "y", &y, &failure));
  must(bp_model_compile(runtime, model, &options, &compiled, &failure));
  must(bp_session_create(compiled, &session, &failure));
  for (int round = -1; round < rounds; round++) {
    double begin = now();
    for (int i = 0; i < runs; i++) must(bp_session_run(session, NULL, 0, NULL, &failure));
    if (round >= 0) times[round] = (now() - begin) / runs;
  }
  print("plain", times);
  must(bp_session_bind(session, x, input, sizeof input, &failure));
  must(bp_session_bind(session, y, output, sizeof output, &failure));
  for (int round = 0; round < rounds; round++) {
    double begin = now();
    for (int i = 0; i < runs; i++) must(bp_session_run(session, NULL, 0, NULL, &failure));
    times[round] = (now() - begin) / runs;
  }
  print("bound", times);
  sem_t ended;
  sem_init(&ended, 0, 0);
  for (int round = 0; round < rounds; round++) {
    double begin = now();
    for (int i = 0; i < runs / 20; i++) {
      must(bp_session_run_async(session, NULL, 0, NULL, done, &ended, &failure));
      sem_wait(&ended);
    }
    times[round] = (now() - begin) / (runs / 20);
  }
  print("asynchronous", times);
  return 0;
}
