// Every file of device code and every manifest, as part of the library: the plugin is one file wherever it is installed.
#include "opencl_api.h"

static const unsigned char shared_values[] = {
#embed "../shared/values.cl"
};
static const unsigned char binary_source[] = {
#embed "../binary/binary.cl"
};
static const unsigned char binary_manifest[] = {
#embed "../binary/binary.json"
};

#define FILE(path, name) {path, name, sizeof name}
static const bp_opencl_file files[] = {
  FILE("shared/values.cl", shared_values),
  FILE("binary/binary.cl", binary_source), FILE("binary/binary.json", binary_manifest),
};

const bp_opencl_file *bp_opencl_files(size_t *count) {
  *count = sizeof files / sizeof *files;
  return files;
}
