/* What the OpenCL plugin uses of the OpenCL API (Khronos OpenCL specification 1.2, and two functions of 2.x that may be missing), opened
 * with dlopen: nothing of OpenCL is needed to build or to load the plugin. */
#ifndef BACKPLANE_OPENCL_API_H
#define BACKPLANE_OPENCL_API_H
#include <stddef.h>
#include <stdint.h>

typedef struct _cl_platform_id *cl_platform_id;
typedef struct _cl_device_id *cl_device_id;
typedef struct _cl_context *cl_context;
typedef struct _cl_command_queue *cl_command_queue;
typedef struct _cl_mem *cl_mem;
typedef struct _cl_program *cl_program;
typedef struct _cl_kernel *cl_kernel;
typedef struct _cl_event *cl_event;

/* Codes of the API, by their names there. */
#define BP_CL_DEVICE_NOT_AVAILABLE (-2)
#define BP_CL_MEM_OBJECT_ALLOCATION_FAILURE (-4)
#define BP_CL_OUT_OF_RESOURCES (-5)
#define BP_CL_OUT_OF_HOST_MEMORY (-6)
#define BP_CL_BUILD_PROGRAM_FAILURE (-11)
#define BP_CL_INVALID_COMMAND_QUEUE (-36)
#define BP_CL_INVALID_BUFFER_SIZE (-61)
#define BP_CL_PLATFORM_NOT_FOUND (-1001)

#define BP_CL_DEVICE_TYPE_CPU 2u
#define BP_CL_DEVICE_TYPE_GPU 4u
#define BP_CL_DEVICE_TYPE_ALL 0xffffffffu
#define BP_CL_DEVICE_TYPE 0x1000u
#define BP_CL_DEVICE_VENDOR_ID 0x1001u
#define BP_CL_DEVICE_MAX_COMPUTE_UNITS 0x1002u
#define BP_CL_DEVICE_MAX_WORK_GROUP_SIZE 0x1004u
#define BP_CL_DEVICE_MAX_CLOCK_FREQUENCY 0x100cu
#define BP_CL_DEVICE_MAX_MEM_ALLOC_SIZE 0x1010u
#define BP_CL_DEVICE_MEM_BASE_ADDR_ALIGN 0x1019u
#define BP_CL_DEVICE_SINGLE_FP_CONFIG 0x101bu
#define BP_CL_DEVICE_GLOBAL_MEM_SIZE 0x101fu
#define BP_CL_DEVICE_LOCAL_MEM_SIZE 0x1023u
#define BP_CL_DEVICE_ENDIAN_LITTLE 0x1026u
#define BP_CL_DEVICE_AVAILABLE 0x1027u
#define BP_CL_DEVICE_COMPILER_AVAILABLE 0x1028u
#define BP_CL_DEVICE_NAME 0x102bu
#define BP_CL_DEVICE_VENDOR 0x102cu
#define BP_CL_DRIVER_VERSION 0x102du
#define BP_CL_DEVICE_VERSION 0x102fu
#define BP_CL_DEVICE_EXTENSIONS 0x1030u
#define BP_CL_DEVICE_PLATFORM 0x1031u
#define BP_CL_DEVICE_HOST_UNIFIED_MEMORY 0x1035u
#define BP_CL_DEVICE_DOUBLE_FP_CONFIG 0x1032u
#define BP_CL_FP_DENORM 1u
#define BP_CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT 128u
#define BP_CL_PLATFORM_NAME 0x0902u
#define BP_CL_QUEUE_PROFILING_ENABLE 2u
#define BP_CL_MEM_READ_WRITE 1u
#define BP_CL_MEM_READ_ONLY 4u
#define BP_CL_MEM_USE_HOST_PTR 8u
#define BP_CL_MAP_READ 1u
#define BP_CL_MAP_WRITE 2u
#define BP_CL_PROGRAM_BINARY_SIZES 0x1165u
#define BP_CL_PROGRAM_BINARIES 0x1166u
#define BP_CL_PROGRAM_BUILD_LOG 0x1183u
#define BP_CL_PROFILING_COMMAND_START 0x1282u
#define BP_CL_PROFILING_COMMAND_END 0x1283u

typedef struct bp_opencl {
  int32_t (*clGetPlatformIDs)(uint32_t, cl_platform_id *, uint32_t *);
  int32_t (*clGetPlatformInfo)(cl_platform_id, uint32_t, size_t, void *, size_t *);
  int32_t (*clGetDeviceIDs)(cl_platform_id, uint64_t, uint32_t, cl_device_id *, uint32_t *);
  int32_t (*clGetDeviceInfo)(cl_device_id, uint32_t, size_t, void *, size_t *);
  cl_context (*clCreateContext)(const intptr_t *, uint32_t, const cl_device_id *, void (*)(const char *, const void *, size_t, void *), void *, int32_t *);
  int32_t (*clReleaseContext)(cl_context);
  cl_command_queue (*clCreateCommandQueue)(cl_context, cl_device_id, uint64_t, int32_t *);
  int32_t (*clReleaseCommandQueue)(cl_command_queue);
  cl_mem (*clCreateBuffer)(cl_context, uint64_t, size_t, void *, int32_t *);
  int32_t (*clReleaseMemObject)(cl_mem);
  cl_program (*clCreateProgramWithSource)(cl_context, uint32_t, const char **, const size_t *, int32_t *);
  cl_program (*clCreateProgramWithBinary)(cl_context, uint32_t, const cl_device_id *, const size_t *, const unsigned char **, int32_t *, int32_t *);
  int32_t (*clBuildProgram)(cl_program, uint32_t, const cl_device_id *, const char *, void (*)(cl_program, void *), void *);
  int32_t (*clGetProgramInfo)(cl_program, uint32_t, size_t, void *, size_t *);
  int32_t (*clGetProgramBuildInfo)(cl_program, cl_device_id, uint32_t, size_t, void *, size_t *);
  int32_t (*clReleaseProgram)(cl_program);
  cl_kernel (*clCreateKernel)(cl_program, const char *, int32_t *);
  int32_t (*clReleaseKernel)(cl_kernel);
  int32_t (*clSetKernelArg)(cl_kernel, uint32_t, size_t, const void *);
  int32_t (*clEnqueueNDRangeKernel)(cl_command_queue, cl_kernel, uint32_t, const size_t *, const size_t *, const size_t *, uint32_t, const cl_event *, cl_event *);
  int32_t (*clEnqueueCopyBuffer)(cl_command_queue, cl_mem, cl_mem, size_t, size_t, size_t, uint32_t, const cl_event *, cl_event *);
  int32_t (*clEnqueueWriteBuffer)(cl_command_queue, cl_mem, uint32_t, size_t, size_t, const void *, uint32_t, const cl_event *, cl_event *);
  void *(*clEnqueueMapBuffer)(cl_command_queue, cl_mem, uint32_t, uint64_t, size_t, size_t, uint32_t, const cl_event *, cl_event *, int32_t *);
  int32_t (*clEnqueueUnmapMemObject)(cl_command_queue, cl_mem, void *, uint32_t, const cl_event *, cl_event *);
  int32_t (*clEnqueueBarrierWithWaitList)(cl_command_queue, uint32_t, const cl_event *, cl_event *);
  int32_t (*clEnqueueMarkerWithWaitList)(cl_command_queue, uint32_t, const cl_event *, cl_event *);
  int32_t (*clFlush)(cl_command_queue);
  int32_t (*clFinish)(cl_command_queue);
  int32_t (*clWaitForEvents)(uint32_t, const cl_event *);
  int32_t (*clReleaseEvent)(cl_event);
  int32_t (*clGetEventProfilingInfo)(cl_event, uint32_t, size_t, void *, size_t *);
} bp_opencl;

/* Opens a loader library and fills `api`. NULL, or what is missing (static text, or the dynamic linker's, valid until its next call
 * on this thread). The library stays open. */
const char *bp_opencl_open(const char *library, bp_opencl *api);

/* A file of device code or a manifest, part of this library. */
typedef struct bp_opencl_file {
  const char *path; /* such as "matmul/matmul.cl" */
  const unsigned char *text;
  size_t bytes;
} bp_opencl_file;
const bp_opencl_file *bp_opencl_files(size_t *count);

#endif
