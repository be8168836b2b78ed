// The engines of the simulated NPU: DMA, vector unit, matrix unit. A program is a list of commands; what they compute with lies in the
// scratchpad and nowhere else. Only DMA commands see memory.
#ifndef BACKPLANE_NPU_ENGINE_H
#define BACKPLANE_NPU_ENGINE_H
#include <stdint.h>

#define NPU_MAX_DIMS 8

// Element formats that DMA converts on the way; the scratchpad holds f32 then. RAW moves units of unit_bytes as they are.
enum { NPU_F32, NPU_F16, NPU_BF16, NPU_RAW };

// Formats of weights: groups of integer codes with a scale, and a minimum where the format has one.
enum { NPU_Q4_0, NPU_Q4_1, NPU_Q5_0, NPU_Q5_1, NPU_Q8_0, NPU_Q4_K, NPU_Q5_K, NPU_Q6_K };

// A tensor as DMA walks it: the last dimension is a row's columns, the others count rows.
typedef struct npu_view {
  uint32_t tensor;     // number of a place
  uint32_t format;     // NPU_F32 … NPU_RAW
  uint32_t rank;       // 1 … 8
  uint32_t unit_bytes; // of an element, of a block for block formats
  int64_t extent[NPU_MAX_DIMS];
  int64_t stride[NPU_MAX_DIMS]; // bytes, not negative; 0 broadcasts
  int64_t offset;               // bytes from the tensor's beginning
} npu_view;

enum npu_operation {
  NPU_LOAD,      // view[row … row+rows, col … col+cols] to a, dense
  NPU_STORE,     // the other way
  NPU_GATHER,    // rows of the view named by integers of n0 bytes at b, to a; a number outside gives zeros
  NPU_UNARY,     // a[0 … cols) = function(b[…])
  NPU_BINARY,    // a = b function c
  NPU_DECODE,    // a[0 … cols) = weights of format `function` at b
  NPU_ROUND_F16, // a[0 … cols) rounded to f16 in place
  NPU_QUANTISE,  // rows × cols floats at b to codes at a and scales at c, one for n0 elements
  NPU_MATMUL_I8, // a[rows, n1] = codes at b, scales at c, times n1 rows of weights of format `function` at d; cols = K, n0 = act block
  NPU_MATMUL,    // a[rows, n1] = b[rows, cols] times c: [n1, cols], or [cols, n1] with flag TRANSPOSED; SKIP_ZERO: zeros of b hide c
  NPU_SOFTMAX,   // rows of n at a in place: f0 · a + mask at b where flag HAS_B
  NPU_VISIBLE,   // scores a[rows, cols] of queries row …: f0 scale, f1 softcap, n0 queries in all, flag CAUSAL, n1 window; softmax in place;
                 // log-sum-exp of each row to b where flag HAS_B
  NPU_RMS_NORM,  // a = b / rms · (c + f1), f0 epsilon; HAS_C
  NPU_LAYER_NORM,// a = (b - mean) / deviation · c + d; HAS_C, HAS_D
  NPU_ROPE,      // rows of heads at b to a: positions at c (n0 bytes each), frequencies at d, n1 of them; see engine.c
  NPU_OPERATIONS
};

enum npu_function {
  NPU_COPY, NPU_NEG, NPU_ABS, NPU_RELU, NPU_SILU, NPU_GELU_TANH, NPU_GELU_ERF, NPU_SIGMOID, NPU_TANH, NPU_EXP, NPU_SQRT, NPU_SQUARE,
  NPU_SCALE,   // f0 · x + f1
  NPU_SOFTCAP, // f0 · tanh(x / f0)
  NPU_ADD, NPU_SUB, NPU_MUL, NPU_DIV, NPU_MAX, NPU_MIN
};

enum { NPU_TRANSPOSED = 1, NPU_SKIP_ZERO = 2, NPU_HAS_B = 4, NPU_HAS_C = 8, NPU_HAS_D = 16, NPU_CAUSAL = 32, NPU_INTERLEAVED = 64, NPU_ROW_VECTOR = 128 };

typedef struct npu_command {
  uint16_t operation, function;
  uint16_t flags;
  uint16_t slot; // 0, 1: half of the double buffer; 2: what stays
  uint32_t node, view;
  uint32_t a, b, c, d; // bytes from the beginning of the scratchpad
  uint32_t rows, cols;
  int64_t row, col;
  uint32_t n0, n1, n2, n3;
  float f0, f1;
} npu_command;

// Where a tensor lies, at a dispatch.
typedef struct npu_place {
  char *data;
  int64_t bytes;
} npu_place;

enum { NPU_FINE, NPU_OUTSIDE_SCRATCHPAD, NPU_OUTSIDE_TENSOR, NPU_UNKNOWN_COMMAND };

// Runs one command. Not thread-safe for one scratchpad.
int npu_run_command(const npu_command *command, const npu_view *views, uint32_t n_views, const npu_place *places, uint32_t n_places,
                    char *scratchpad, uint32_t scratchpad_bytes);

// Bytes of a block, its elements, and elements that share a scale.
uint32_t npu_block_bytes(uint32_t format);
uint32_t npu_block_elements(uint32_t format);
uint32_t npu_group_elements(uint32_t format);

// Checksum of blobs: FNV-1a-64 over words of 8 bytes, then bytes.
uint64_t npu_checksum(const void *bytes, uint64_t count);
#endif
