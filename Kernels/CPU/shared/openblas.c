// The host's pool cuts the work, so the library must compute on the calling thread alone. How many threads it uses is a setting of the
// whole process: one that someone else loaded before keeps what it has, and is used only where that is one thread.
#define _GNU_SOURCE
#include "openblas.h"
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bp_sgemm_fn found;

static void load(void) {
  static const char *const names[] = {"libopenblas.so.0", "libopenblas.so"};
  for (unsigned i = 0; i < sizeof names / sizeof *names && !found; i++) {
    void *shared = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD), *library = shared ? shared : dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) continue; // stays loaded when it is one: its threads may not end
    char *(*config)(void) = (char *(*)(void))dlsym(library, "openblas_get_config");
    int (*threads)(void) = (int (*)(void))dlsym(library, "openblas_get_num_threads");
    void (*set_threads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
    if (!config || !threads || !set_threads || strstr(config(), "USE64BITINT")) continue;
    if (!shared) set_threads(1);
    if (threads() == 1) found = (bp_sgemm_fn)dlsym(library, "cblas_sgemm");
  }
}

bp_sgemm_fn bp_openblas_sgemm(void) {
  pthread_once(&once, load);
  return found;
}
