// Opens the OpenCL loader by name.
#define _GNU_SOURCE
#include "opencl_api.h"
#include <dlfcn.h>
#include <string.h>

#define NAMES(X)                                                                                                          \
  X(clGetPlatformIDs) X(clGetPlatformInfo) X(clGetDeviceIDs) X(clGetDeviceInfo) X(clCreateContext) X(clReleaseContext)    \
  X(clCreateCommandQueue) X(clReleaseCommandQueue) X(clCreateBuffer) X(clReleaseMemObject) X(clCreateProgramWithSource)   \
  X(clCreateProgramWithBinary) X(clBuildProgram) X(clGetProgramInfo) X(clGetProgramBuildInfo) X(clReleaseProgram)         \
  X(clCreateKernel) X(clReleaseKernel) X(clSetKernelArg) X(clEnqueueNDRangeKernel) X(clEnqueueCopyBuffer)                 \
  X(clEnqueueWriteBuffer) X(clEnqueueMapBuffer) X(clEnqueueUnmapMemObject) X(clEnqueueMarkerWithWaitList)                 \
  X(clEnqueueBarrierWithWaitList) X(clFlush) X(clFinish) X(clWaitForEvents) X(clReleaseEvent)            \
  X(clGetEventProfilingInfo)

const char *bp_opencl_open(const char *library, bp_opencl *api) {
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!handle) return dlerror();
  void *symbol;
#define FIND(name)                                                                                                        \
  symbol = dlsym(handle, #name);                                                                                          \
  if (!symbol) return "it lacks " #name ", which OpenCL 1.2 has";                                                         \
  memcpy(&api->name, &symbol, sizeof symbol);
  NAMES(FIND)
  return 0;
}
