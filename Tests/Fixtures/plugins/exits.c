#define NAME "exits"
#define AT_CREATE exit(3)
#include "fixture.h"
