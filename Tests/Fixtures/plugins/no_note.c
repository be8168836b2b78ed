#define OWN_NOTE
#define NAME "no_note"
#include "fixture.h"
