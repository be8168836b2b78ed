/* The files of a new plugin, taken from this checkout when the tool is built: there is no second copy of any of them. */
#ifndef BACKPLANE_TEMPLATES_H
#define BACKPLANE_TEMPLATES_H
#include <stddef.h>

typedef struct bp_template_file {
  const char *path; /* in the plugin's folder; "template" stands for the plugin's name */
  const char *text; /* NUL-terminated */
} bp_template_file;

/* The files of a plugin in C or in Swift, `*count` of them. */
const bp_template_file *bp_template_c(size_t *count);
const bp_template_file *bp_template_swift(size_t *count);

#endif
