/* The note says 9.0: nothing of this library may run. */
#define OWN_NOTE
#define NAME "other_abi_note"
#define AT_QUERY abort()
#include "fixture.h"
__attribute__((section(".note.backplane"), used, aligned(8)))
const bp_elf_note note = {12, 24, 1, "Backplane", 0x00090000u, 0x00090000u, 0, 0, 1};
