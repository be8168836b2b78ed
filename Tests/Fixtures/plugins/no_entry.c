#define NO_ENTRY
#include "fixture.h"
