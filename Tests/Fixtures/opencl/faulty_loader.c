/* An OpenCL loader that hands everything on to the machine's own, but for one fault at a time: what `bp_test_fault` says.
 * cc -shared -fPIC faulty_loader.c -o libfaulty.so -Wl,--no-as-needed -l:libOpenCL.so.1; functions that are not here are found in the library behind it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

enum { NONE, NO_DRIVER, NO_DEVICE, NOT_AVAILABLE, NO_MEMORY, QUEUE_LOST, EVENT_LOST, BINARIES_REFUSED, NO_RESOURCES, MORE_EXTENSIONS, OTHER_DRIVER };
int bp_test_fault;
int bp_test_compiled; /* how many programs were made from source */

#define REAL(result, name, ...)                                              \
  static result (*real)(__VA_ARGS__);                                        \
  if (!real) {                                                               \
    void *symbol = dlsym(dlopen("libOpenCL.so.1", RTLD_NOW), #name);         \
    memcpy(&real, &symbol, sizeof symbol);                                   \
  }

int32_t clGetPlatformIDs(uint32_t n, void **platforms, uint32_t *count) {
  REAL(int32_t, clGetPlatformIDs, uint32_t, void **, uint32_t *)
  if (bp_test_fault == NO_DRIVER) return -1001;
  return real(n, platforms, count);
}
int32_t clGetDeviceIDs(void *platform, uint64_t type, uint32_t n, void **devices, uint32_t *count) {
  REAL(int32_t, clGetDeviceIDs, void *, uint64_t, uint32_t, void **, uint32_t *)
  if (bp_test_fault == NO_DEVICE) return -1;
  return real(platform, type, n, devices, count);
}
int32_t clGetDeviceInfo(void *device, uint32_t what, size_t n, void *value, size_t *size) {
  REAL(int32_t, clGetDeviceInfo, void *, uint32_t, size_t, void *, size_t *)
  if (bp_test_fault == NOT_AVAILABLE && what == 0x1027 && value) return memset(value, 0, n), 0;
  const char *text = bp_test_fault == OTHER_DRIVER && what == 0x102d ? "99.1 of a test" : 0;
  static char longer[1 << 14];
  if (bp_test_fault == MORE_EXTENSIONS && what == 0x1030) {
    size_t used = 0;
    if (real(device, what, sizeof longer - 128, longer, &used)) return -30;
    strcat(longer, " cl_khr_fp16 cl_khr_subgroups cl_khr_integer_dot_product");
    text = longer;
  }
  if (!text) return real(device, what, n, value, size);
  if (size) *size = strlen(text) + 1;
  if (value) strncpy(value, text, n);
  return 0;
}
void *clCreateBuffer(void *context, uint64_t flags, size_t bytes, void *host, int32_t *code) {
  REAL(void *, clCreateBuffer, void *, uint64_t, size_t, void *, int32_t *)
  if (bp_test_fault == NO_MEMORY) return *code = -4, (void *)0;
  return real(context, flags, bytes, host, code);
}
int32_t clFinish(void *queue) {
  REAL(int32_t, clFinish, void *)
  int32_t code = real(queue);
  return bp_test_fault == QUEUE_LOST ? -36 : code;
}
int32_t clWaitForEvents(uint32_t n, void *const *events) {
  REAL(int32_t, clWaitForEvents, uint32_t, void *const *)
  int32_t code = real(n, events);
  return bp_test_fault == EVENT_LOST ? -36 : code;
}
void *clCreateProgramWithSource(void *context, uint32_t n, const char **texts, const size_t *sizes, int32_t *code) {
  REAL(void *, clCreateProgramWithSource, void *, uint32_t, const char **, const size_t *, int32_t *)
  bp_test_compiled++;
  return real(context, n, texts, sizes, code);
}
void *clCreateProgramWithBinary(void *context, uint32_t n, void *const *devices, const size_t *sizes, const unsigned char **bytes, int32_t *status, int32_t *code) {
  REAL(void *, clCreateProgramWithBinary, void *, uint32_t, void *const *, const size_t *, const unsigned char **, int32_t *, int32_t *)
  if (bp_test_fault == BINARIES_REFUSED) return *code = -42, (void *)0;
  return real(context, n, devices, sizes, bytes, status, code);
}
int32_t clEnqueueNDRangeKernel(void *queue, void *kernel, uint32_t n, const size_t *at, const size_t *global, const size_t *local, uint32_t waits, void *const *events, void **event) {
  REAL(int32_t, clEnqueueNDRangeKernel, void *, void *, uint32_t, const size_t *, const size_t *, const size_t *, uint32_t, void *const *, void **)
  if (bp_test_fault == NO_RESOURCES) return -5;
  return real(queue, kernel, n, at, global, local, waits, events, event);
}
