// How much of the driver's multiply-add rate the tiled matmul reaches, beside CLBlast, in one process with interleaved rounds.
//
//   cc -O2 -std=gnu2x -IKernels/OpenCL/host/include Tests/Peers/opencl_gemm.c Kernels/OpenCL/host/api.c -ldl -lm -o build/opencl_gemm
//   build/opencl_gemm [M N K [ROWS VECTORS DEPTH BLOCK_ROWS]] [clblast=NAME=VALUE,NAME=VALUE…]
//
// f32, a [M, K] times b [N, K]. Time is the processor's, over all threads (a driver that computes on the processor is meant), so that other work on the machine
// does not count; rates are for each processor; median, least and largest of five rounds. The limit is twelve chains of fma on float16 in registers. CLBlast
// (Debian package libclblast1) runs when it is there, with its defaults, and again with parameters of its kernel Xgemm that clblast_tuner_xgemm (clblast-utils) found.
#include <dlfcn.h>
#include <math.h>
#include <opencl_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bp_opencl cl;
static cl_device_id device;
static cl_context context;
static cl_command_queue queue;

static void check(int code, const char *what) {
  if (code) printf("%s gave %d\n", what, code), exit(1);
}

// A source with its includes, each once.
static char text[1 << 20], seen[1 << 12];
static void append(const char *path) {
  char full[512], line[4096], name[256];
  if (strstr(seen, path)) return;
  strcat(seen, path);
  snprintf(full, sizeof full, "Kernels/OpenCL/%s", path);
  FILE *file = fopen(full, "r");
  if (!file) printf("%s cannot be read: run this in the package's folder\n", full), exit(1);
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "#include \"%255[^\"]\"", name) == 1) append(name);
    else strcat(text, line);
  fclose(file);
}

static cl_kernel kernel(const char *source, const char *options, const char *name) {
  int code;
  cl_program program = cl.clCreateProgramWithSource(context, 1, &source, 0, &code);
  check(code, "clCreateProgramWithSource");
  code = cl.clBuildProgram(program, 1, &device, options, 0, 0);
  if (code) {
    static char log[1 << 16];
    cl.clGetProgramBuildInfo(program, device, BP_CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, 0);
    printf("%s", log);
  }
  check(code, "clBuildProgram");
  cl_kernel made = cl.clCreateKernel(program, name, &code);
  check(code, "clCreateKernel");
  return made;
}

// Processor seconds of what is in the queue.
static double finished(struct timespec a) {
  struct timespec b;
  check(cl.clFinish(queue), "clFinish");
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
  return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
}
static double seconds(cl_kernel k, unsigned dimensions, const size_t *global, const size_t *local) {
  struct timespec a;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
  check(cl.clEnqueueNDRangeKernel(queue, k, dimensions, 0, global, local, 0, 0, 0), "clEnqueueNDRangeKernel");
  return finished(a);
}

// CLBlast, of which nothing is needed to build this. Row-major, b transposed.
static int (*clblast_sgemm)(int, int, int, size_t, size_t, size_t, float, cl_mem, size_t, size_t, cl_mem, size_t, size_t, float, cl_mem, size_t, size_t,
                            cl_command_queue *, cl_event *);
static int (*clblast_override)(cl_device_id, const char *, int, size_t, const char **, const size_t *);
static double clblast_seconds(int m, int n, int k, const cl_mem *memory) {
  struct timespec a;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
  check(clblast_sgemm(101, 111, 112, (size_t)m, (size_t)n, (size_t)k, 1, memory[1], 0, (size_t)k, memory[2], 0, (size_t)k, 0, memory[0], 0, (size_t)n, &queue, 0),
        "CLBlastSgemm");
  return finished(a);
}
static void tune(char *text) {
  const char *names[32];
  size_t values[32], count = 0;
  for (char *word = strtok(text, ","); word && count < 32; word = strtok(0, ",")) {
    char *value = strchr(word, '=');
    if (!value) printf("'%s' is not NAME=VALUE\n", word), exit(1);
    *value = 0;
    names[count] = word;
    values[count++] = (size_t)atoi(value + 1);
  }
  check(clblast_override(device, "Xgemm", 32, count, names, values), "CLBlastOverrideParameters");
}

enum { ROUNDS = 5 };
static int order(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }
static void show(const char *name, const double *rates, const double *limits) {
  double shares[ROUNDS], sorted[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) shares[i] = 100 * rates[i] / limits[i], sorted[i] = rates[i];
  qsort(sorted, ROUNDS, sizeof *sorted, order);
  qsort(shares, ROUNDS, sizeof *shares, order);
  printf("%-16s %6.1f (%.1f to %.1f) GFLOP/s a processor, %.1f %% (%.1f to %.1f) of fma\n", name, sorted[ROUNDS / 2], sorted[0], sorted[ROUNDS - 1],
         shares[ROUNDS / 2], shares[0], shares[ROUNDS - 1]);
}

static float *values(size_t n) {
  float *v = aligned_alloc(4096, (n * 4 + 4095) / 4096 * 4096);
  unsigned state = 1;
  for (size_t i = 0; i < n; i++) v[i] = (float)((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-24f - 0.5f;
  return v;
}

int main(int count, char **words) {
  int shape[7] = {512, 4096, 4096, 8, 3, 256, 512};
  char *tuned = 0;
  for (int i = 1, at = 0; i < count; i++)
    if (!strncmp(words[i], "clblast=", 8)) tuned = words[i] + 8;
    else if (at < 7) shape[at++] = atoi(words[i]);
  int m = shape[0], n = shape[1], k = shape[2], code;
  const char *missing = bp_opencl_open("libOpenCL.so.1", &cl);
  if (missing) return printf("%s\n", missing), 1;
  cl_platform_id platform;
  check(cl.clGetPlatformIDs(1, &platform, 0), "clGetPlatformIDs");
  check(cl.clGetDeviceIDs(platform, BP_CL_DEVICE_TYPE_ALL, 1, &device, 0), "clGetDeviceIDs");
  context = cl.clCreateContext(0, 1, &device, 0, 0, &code);
  check(code, "clCreateContext");
  queue = cl.clCreateCommandQueue(context, device, 0, &code);
  check(code, "clCreateCommandQueue");

  float *a = values((size_t)m * (size_t)k), *b = values((size_t)n * (size_t)k), *y = values((size_t)m * (size_t)n);
  float *host[3] = {y, a, b};
  size_t sizes[3] = {(size_t)m * (size_t)n * 4, (size_t)m * (size_t)k * 4, (size_t)n * (size_t)k * 4};
  cl_mem memory[3];
  for (int i = 0; i < 3; i++) memory[i] = cl.clCreateBuffer(context, BP_CL_MEM_READ_WRITE | BP_CL_MEM_USE_HOST_PTR, sizes[i], host[i], &code);

  char options[512];
  snprintf(options, sizeof options,
           "-cl-std=CL1.2 -DA=f32 -DIS_HALF=0 -DY=f32 -DW=f32 -DIS_FLOAT=1 -DBIAS=none -DHAS_BIAS=0 -DHAS_RESIDUAL=0 -DACTIVATION=none -DGROUP=1 -DROWS=%d -DVECTORS=%d -DDEPTH=%d -DBLOCK_ROWS=%d",
           shape[3], shape[4], shape[5], shape[6]);
  append("matmul/gemm.cl");
  cl_kernel gemm = kernel(text, options, "gemm");
  unsigned at = 0;
  uint64_t zero = 0;
  int32_t ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  int64_t none[8] = {0}, steps[9] = {4l * n, 4, 4l * k, 4, 4l * k, 4, 0, 0, 0};
  for (int i = 0; i < 5; i++) {
    cl.clSetKernelArg(gemm, at++, sizeof(cl_mem), i < 3 ? &memory[i] : 0);
    cl.clSetKernelArg(gemm, at++, 8, &zero);
  }
  cl.clSetKernelArg(gemm, at++, 32, ones);
  for (int i = 0; i < 4; i++) cl.clSetKernelArg(gemm, at++, 64, none);
  for (int i = 0; i < 3; i++) cl.clSetKernelArg(gemm, at++, 4, &shape[i]);
  for (int i = 0; i < 9; i++) check(cl.clSetKernelArg(gemm, at++, 8, &steps[i]), "clSetKernelArg");
  size_t columns = 16 * (size_t)shape[4], local[3] = {1, 1, 1};
  size_t global[3] = {((size_t)n + columns - 1) / columns, ((size_t)m + (size_t)shape[6] - 1) / (size_t)shape[6], 1};

  cl_kernel chains = kernel(
    "kernel void chains(global float *y, int n) {\n"
    "  float16 x = 1.0000001f, z = 1e-9f, a = get_global_id(0), b = 1, c = 2, d = 3, e = 4, f = 5, g = 6, h = 7, i = 8, j = 9, k = 10, l = 11;\n"
    "  for (int t = 0; t < n; t++) {\n"
    "    a = fma(a, x, z); b = fma(b, x, z); c = fma(c, x, z); d = fma(d, x, z); e = fma(e, x, z); f = fma(f, x, z);\n"
    "    g = fma(g, x, z); h = fma(h, x, z); i = fma(i, x, z); j = fma(j, x, z); k = fma(k, x, z); l = fma(l, x, z);\n"
    "  }\n"
    "  vstore16(a + b + c + d + e + f + g + h + i + j + k + l, get_global_id(0), y);\n"
    "}\n", "", "chains");
  int rounds = 400000;
  size_t two = 2;
  cl.clSetKernelArg(chains, 0, sizeof(cl_mem), &memory[0]);
  cl.clSetKernelArg(chains, 1, 4, &rounds);
  void *library = dlopen("libclblast.so.1", RTLD_NOW);
  if (library) {
    void *symbol = dlsym(library, "CLBlastSgemm");
    memcpy(&clblast_sgemm, &symbol, sizeof symbol);
    symbol = dlsym(library, "CLBlastOverrideParameters");
    memcpy(&clblast_override, &symbol, sizeof symbol);
  }
  const double work = 2.0 * m * n * k * 1e-9, chain = 2.0 * 12 * 16 * 2 * rounds * 1e-9;
  double rates[3][ROUNDS], limits[ROUNDS];
  for (int pass = 0; pass < 2; pass++) {
    if (pass == 1) {
      if (!clblast_sgemm || !tuned) break;
      tune(tuned);
    }
    for (int round = -1; round < ROUNDS; round++) {  // the first one compiles
      const double limit = chain / seconds(chains, 1, &two, local), own = work / seconds(gemm, 3, global, local);
      const double other = clblast_sgemm ? work / clblast_seconds(m, n, k, memory) : 0;
      if (round < 0) continue;
      limits[round] = limit;
      rates[pass == 0 ? 0 : 2][round] = pass == 0 ? own : other;
      if (pass == 0) rates[1][round] = other;
    }
    if (pass == 0) {
      printf("[%d, %d] by [%d, %d], f32, %d rounds; median (least to largest)\n", m, k, n, k, ROUNDS);
      show("fma", limits, limits);
      show("Backplane", rates[0], limits);
      if (clblast_sgemm) show("CLBlast untuned", rates[1], limits);
    } else show("CLBlast tuned", rates[2], limits);
  }

  check(cl.clEnqueueNDRangeKernel(queue, gemm, 3, 0, global, local, 0, 0, 0), "clEnqueueNDRangeKernel");
  check(cl.clFinish(queue), "clFinish");
  double worst = 0;
  for (int i = 0; i < 500; i++) {
    int row = i * 37 % m, column = i * 101 % n;
    double sum = 0;
    for (int x = 0; x < k; x++) sum += (double)a[(size_t)row * (size_t)k + (size_t)x] * b[(size_t)column * (size_t)k + (size_t)x];
    worst = fmax(worst, fabs(sum - y[(size_t)row * (size_t)n + (size_t)column]));
  }
  printf("largest error of 500 elements %.1e\n", worst);
}
