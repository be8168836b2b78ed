/* The note says 1.0, the table says 9.0. */
#define NAME "other_abi"
#define ABI_MIN 0x00090000u
#define ABI_MAX 0x00090000u
#include "fixture.h"
