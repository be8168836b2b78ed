/* The note has the right hash, the table another. */
#define NAME "wrong_hash"
#define LAYOUT_HASH 0x1234u
#include "fixture.h"
