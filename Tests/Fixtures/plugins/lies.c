/* Says yes to everything and computes nothing. */
#define NAME "lies"
#define SUPPORT BP_SUPPORT_YES
#include "fixture.h"
