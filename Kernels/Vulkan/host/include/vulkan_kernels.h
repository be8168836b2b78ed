/* The plugin's files, as part of the library: the plugin is one file wherever it is installed. */
#ifndef BACKPLANE_VULKAN_KERNELS_H
#define BACKPLANE_VULKAN_KERNELS_H
#include <stddef.h>
#include "vulkan_calls.h"

typedef struct bp_vulkan_file {
  const char *path;
  const unsigned char *bytes; /* aligned to 4 */
  size_t count;
} bp_vulkan_file;
const bp_vulkan_file *bp_vulkan_files(size_t *count);

/* What stands for a word of a manifest in a kernel's constants. */
typedef struct bp_vulkan_word {
  const char *name;
  uint32_t number;
} bp_vulkan_word;
const bp_vulkan_word *bp_vulkan_words(size_t *count);
#endif
