/* Breaks no rule: the measure of the others. */
#define NAME "quiet"
#include "fixture.h"
