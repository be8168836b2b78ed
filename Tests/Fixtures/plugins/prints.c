#include <stdio.h>
#define NAME "prints"
#define AT_CREATE puts("hello from a driver")
#include "fixture.h"
