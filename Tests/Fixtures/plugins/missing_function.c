#define NAME "missing_function"
#define EXECUTE NULL
#include "fixture.h"
