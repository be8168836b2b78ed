#define OWN_NOTE
#define NAME "wrong_hash_note"
#define AT_QUERY abort()
#include "fixture.h"
__attribute__((section(".note.backplane"), used, aligned(8)))
const bp_elf_note note = {12, 24, 1, "Backplane", BP_ABI_1_0, BP_ABI_1_0, 0, 0, 0x1234u};
