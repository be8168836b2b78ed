#define NAME "hang"
#define AT_CREATE for (;;) pause()
#include "fixture.h"
