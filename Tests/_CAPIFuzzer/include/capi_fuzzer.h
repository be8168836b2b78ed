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

// Bounds of capi_churn, beyond what the first fifth of the loops left.
enum {
  churn_noise = 32 << 10,           // of malloc's bytes in use: its lists for each thread
  churn_resident_noise = 4 << 20,   // of resident memory: pages of free lists, code that runs for the first time
  churn_bytes_a_runtime = 8 << 10,  // plugins may use the host's table of services as long as the process lives: that much stays
};

typedef enum churn_leak { churn_leaks_nothing, churn_leaks_handles, churn_leaks_memory, churn_leaks_files } churn_leak;

typedef struct churn_options {
  uint64_t loops;                  // of graphs; a tenth as many generators and runtimes
  const struct bp_plugin *plugin;  // in the process, or NULL and
  const char *plugin_path;         // a library's or a manifest's path
  const char *device;              // of that plugin
  const char *model_path;          // a small language model
  const char *graph_path;          // a file to be written
  churn_leak leak;                 // what each loop leaves on purpose, to see that it is found
} churn_options;

typedef struct churn_counts { uint64_t bytes, resident, handles, threads, files; } churn_counts;

typedef struct churn_part {
  const char *what;          // "graphs", "generators", "runtimes"
  uint64_t loops;
  churn_counts first, last;  // after a fifth of the loops, and at the end
} churn_part;

typedef struct churn_result {
  churn_part parts[3];
  uint32_t n_parts;
  char fault[700];  // empty when nothing is left behind
} churn_result;

// Makes, uses and frees handles of every kind over and over, and compares what is left: handles, threads, open files, bytes. In a process without others.
churn_result capi_churn(const churn_options *options);
