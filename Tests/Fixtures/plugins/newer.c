/* Of the future: speaks ABI 1.0 and 1.1, states a layout hash for each, and its table is longer. */
#define OWN_NOTE
#define NAME "newer"
#define ABI_MAX 0x00010001u
#define STRUCT_SIZE (sizeof(bp_plugin) + 64)
#include "fixture.h"
__attribute__((section(".note.backplane"), used, aligned(8)))
const bp_elf_note notes[2] = {{12, 24, 1, "Backplane", BP_ABI_1_0, 0x00010001u, 1, 0, 0x77u},
                              {12, 24, 1, "Backplane", BP_ABI_1_0, 0x00010001u, 0, 0, BP_ABI_LAYOUT_HASH_1_0}};
