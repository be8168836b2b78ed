#define NAME "aborts"
#define AT_CREATE abort()
#include "fixture.h"
