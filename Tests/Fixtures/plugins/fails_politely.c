/* No driver here: says so and returns. */
#define NAME "fails_politely"
#define AT_CREATE do { memcpy(e->message, "no driver found", 16); return BP_E_DRIVER; } while (0)
#include "fixture.h"
