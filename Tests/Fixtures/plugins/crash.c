#define NAME "crash"
#define AT_CREATE *(volatile int *)8 = 1
#include "fixture.h"
