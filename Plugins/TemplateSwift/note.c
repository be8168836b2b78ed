/* Puts ABI range and layout hash into the library, so that the host can read them without running us. */
#define BP_EMIT_NOTE
#include "backplane_plugin.h"
