#define NAME "inverted_abi"
#define ABI_MIN 0x00010001u
#define ABI_MAX 0x00010000u
#include "fixture.h"
