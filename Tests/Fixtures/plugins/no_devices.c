#define NAME "no_devices"
#define DEVICES 0
#include "fixture.h"
