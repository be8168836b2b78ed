/* The few functions of SQLite 3 that the tuning store needs, found at run time: the package builds without SQLite's headers, and a machine without
 * the library has everything but a tuning store. */
#ifndef BACKPLANE_SQLITE_LIBRARY_H
#define BACKPLANE_SQLITE_LIBRARY_H
#include <stdint.h>

typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;

#define BP_SQLITE_OK 0
#define BP_SQLITE_BUSY 5
#define BP_SQLITE_ROW 100
#define BP_SQLITE_DONE 101
#define BP_SQLITE_OPEN_READONLY 1
#define BP_SQLITE_OPEN_READWRITE 2
#define BP_SQLITE_OPEN_CREATE 4
#define BP_SQLITE_OPEN_FULLMUTEX 0x10000

typedef struct bp_sqlite {
  int (*sqlite3_open_v2)(const char *path, sqlite3 **out, int flags, const char *vfs);
  int (*sqlite3_close_v2)(sqlite3 *);
  const char *(*sqlite3_errmsg)(sqlite3 *);
  int (*sqlite3_busy_timeout)(sqlite3 *, int milliseconds);
  int (*sqlite3_exec)(sqlite3 *, const char *sql, int (*row)(void *, int, char **, char **), void *, char **error);
  int (*sqlite3_prepare_v2)(sqlite3 *, const char *sql, int bytes, sqlite3_stmt **out, const char **tail);
  int (*sqlite3_bind_text)(sqlite3_stmt *, int index, const char *text, int bytes, void (*destructor)(void *));
  int (*sqlite3_bind_int64)(sqlite3_stmt *, int index, int64_t value);
  int (*sqlite3_step)(sqlite3_stmt *);
  const unsigned char *(*sqlite3_column_text)(sqlite3_stmt *, int column);
  int64_t (*sqlite3_column_int64)(sqlite3_stmt *, int column);
  int (*sqlite3_reset)(sqlite3_stmt *);
  int (*sqlite3_finalize)(sqlite3_stmt *);
  int (*sqlite3_changes)(sqlite3 *);
} bp_sqlite;

/* Fills the table from the library of that name, such as "libsqlite3.so.0". NULL, or what is wrong (valid until the next call). */
const char *bp_sqlite_open(const char *library, bp_sqlite *out);

/* sqlite3_bind_text with a copy of the text. */
int bp_sqlite_bind_copy(const bp_sqlite *, sqlite3_stmt *, int index, const char *text, int bytes);

#endif
