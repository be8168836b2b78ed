#define _GNU_SOURCE
#include "sqlite_library.h"
#include <dlfcn.h>
#include <string.h>

#define NAMES(X)                                                                                                          \
  X(sqlite3_open_v2) X(sqlite3_close_v2) X(sqlite3_errmsg) X(sqlite3_busy_timeout) X(sqlite3_exec) X(sqlite3_prepare_v2)  \
  X(sqlite3_bind_text) X(sqlite3_bind_int64) X(sqlite3_step) X(sqlite3_column_text) X(sqlite3_column_int64)               \
  X(sqlite3_reset) X(sqlite3_finalize) X(sqlite3_changes)

const char *bp_sqlite_open(const char *library, bp_sqlite *out) {
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!handle) return dlerror();
  void *symbol;
#define FIND(name)                                                                                                        \
  symbol = dlsym(handle, #name);                                                                                          \
  if (!symbol) return "it lacks " #name ", which SQLite 3 has";                                                           \
  memcpy(&out->name, &symbol, sizeof symbol);
  NAMES(FIND)
  return 0;
}

int bp_sqlite_bind_copy(const bp_sqlite *api, sqlite3_stmt *statement, int index, const char *text, int bytes) {
  return api->sqlite3_bind_text(statement, index, text, bytes, (void (*)(void *))(intptr_t)-1);
}
