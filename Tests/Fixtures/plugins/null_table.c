#define NAME "null_table"
#define AT_QUERY return NULL
#include "fixture.h"
