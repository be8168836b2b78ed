// Random sequences of calls of backplane.h, right and wrong.
#pragma once
#include "backplane.h"

typedef struct fuzz_options {
  uint64_t seed;
  uint64_t sequences;
  bp_runtime runtime;      // with a device called `device`; never freed here
  const char *device;
  bp_generator generator;  // NULL leaves text out
  const char *folder;      // for graph files; NULL leaves files out
  int32_t shares_handles;  // other threads do the same: handles that are guessed may be theirs, and theirs may be freed by guesses
} fuzz_options;

typedef struct fuzz_result {
  uint64_t calls, successes, runs;
  char violation[1400];    // of the first rule that did not hold: seed, sequence, call; empty when all did
} fuzz_result;

fuzz_result capi_fuzz(const fuzz_options *options);

// The same in `threads` threads at once, each with a seed of its own from options->seed on; one result a thread.
void capi_fuzz_together(const fuzz_options *options, uint32_t threads, fuzz_result *results);
