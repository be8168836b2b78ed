/* A Backplane plugin in plain C: one file, Backplane's two headers, no other dependency.
 *
 * It offers one device, "template:0", which runs five operators on dense f32 tensors in host memory, one at a time.
 * `backplane new-plugin NAME` copies and renames it; replace what is inside, one operator after the other. `backplane conform`
 * says what is missing and what is wrong.
 *
 * Rules that are easy to break (all of them: Specs/abi.md):
 *  - Never abort, exit, print, start threads or read the environment. Return a status and fill the bp_error.
 *  - Arrays from the host have a stride. It may be larger than sizeof: use it.
 *  - What comes in is valid for the call only: program_create copies what it needs of the graph.
 *  - query() depends on the node alone, and its yes is a promise: program_create and execute then work.
 */
#define BP_EMIT_NOTE /* puts ABI range and layout hash into the file, so that the host can read them without running us */
#include "backplane_operators.h" /* numbers of operators, formats and attributes */
#include "backplane_plugin.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TAG = 0x74656d70 /* names us in the host's memory accounts */, MAX_IN = 4, ALIGN = 64 };

/* ---- handles: what is behind them is ours -------------------------------------------------------------------------- */

struct bp_instance_s {
  const bp_host *host; /* lives as long as the process */
};
struct bp_device_s {
  const bp_host *host;
  bp_memory_type memory;
};
struct bp_buffer_s {
  void *data;
  uint64_t bytes;
  int imported; /* the memory is the host's: do not free it */
};
typedef struct tensor { /* what a program keeps of a bp_tensor */
  uint32_t rank;
  int64_t dim[BP_MAX_DIMS]; /* -1: the value of symbol[] */
  uint32_t symbol[BP_MAX_DIMS];
  int32_t binding;           /* number of its binding in a dispatch; -1: in the workspace */
  uint64_t offset, capacity; /* in the workspace, bytes at the symbols' upper bounds */
} tensor;
struct call;
typedef struct node {
  void (*run)(const struct call *); /* the kernel */
  uint32_t in[MAX_IN], out;
  double f[2]; /* attributes that the kernel needs */
} node;
struct bp_program_s {
  bp_device device;
  uint32_t n_tensors, n_nodes, n_places;
  uint64_t bytes, workspace; /* of this object; of the memory that execute is given */
  tensor *tensors;
  node *nodes;
  bp_placement *places;
};

/* ---- errors -------------------------------------------------------------------------------------------------------- */

/* Says what is wrong with which values. Errors are optional: the host may pass NULL. */
static bp_status fail(bp_error *error, bp_status code, uint32_t reason, const char *format, ...) {
  if (!error) return code;
  error->code = code;
  error->reason = reason;
  va_list values;
  va_start(values, format);
  vsnprintf(error->message, sizeof error->message, format, values);
  va_end(values);
  return code;
}

/* ---- records of other versions --------------------------------------------------------------------------------------- */

/* Fills a record of the host with what we made, as far as the host's version of it reaches. */
static void put(void *out, const void *made, size_t bytes) {
  size_t room = ((const bp_head *)out)->struct_size, head = sizeof(bp_head);
  if (room > bytes) room = bytes;
  if (room > head) memcpy((char *)out + head, (const char *)made + head, room - head);
}
/* Whether a chained extension that we do not know must be understood (bit 31). Others are skipped. */
static int must_refuse(const bp_head *record) {
  for (const bp_head *next = record->next; next; next = next->next)
    if (next->struct_type >> 31) return 1;
  return 0;
}

/* ---- reading graphs ------------------------------------------------------------------------------------------------ */

static const void *at(bp_array array, uint32_t i) { return (const char *)array.ptr + (uint64_t)i * array.stride; }
static const bp_tensor *tensor_at(const bp_graph *g, uint32_t i) { return at(g->tensors, i); }
static const bp_node *node_at(const bp_graph *g, uint32_t i) { return at(g->nodes, i); }
static const bp_attr *attr_at(const bp_node *n, uint32_t i) { return at(n->attrs, i); } /* in the order of the operator's spec */
static int has(const bp_node *n, uint32_t operand) { return operand < n->n_in && n->in[operand] != BP_NO_TENSOR; }

typedef struct view { /* a tensor at run time: dense, every extent known */
  void *data;
  uint32_t rank;
  int64_t dim[BP_MAX_DIMS];
} view;
static int64_t count(const view *v) {
  int64_t n = 1;
  for (uint32_t i = 0; i < v->rank; i++) n *= v->dim[i];
  return n;
}
static int64_t columns(const view *v) { return v->rank ? v->dim[v->rank - 1] : 1; }
static int64_t rows(const view *v) { /* 0 columns may still be many rows */
  int64_t n = 1;
  for (uint32_t i = 0; i + 1 < v->rank; i++) n *= v->dim[i];
  return n;
}

/* ---- kernels ----------------------------------------------------------------------------------------------------------- */

typedef struct call {
  const bp_host *host;
  const node *node;
  view in[MAX_IN], out; /* in[i].data is NULL where an operand is absent */
} call;

/* Where element i of `out` comes from in `v`: extents of 1 and missing leading dimensions repeat. */
static int64_t broadcast(const view *v, const view *out, int64_t i) {
  int64_t offset = 0, step = 1;
  for (uint32_t d = 0; d < out->rank; d++) { /* d counts from the last dimension */
    int64_t extent = out->dim[out->rank - 1 - d], index = i % extent;
    i /= extent;
    if (d >= v->rank) continue;
    int64_t own = v->dim[v->rank - 1 - d];
    offset += own == 1 ? 0 : index * step;
    step *= own;
  }
  return offset;
}
/* name: an operator of two operands. Integers wrap, so i32 is computed as uint32_t. */
#define BINARY(name, type, operation)                                                                          \
  static void name(const call *c) {                                                                            \
    const type *a = c->in[0].data, *b = c->in[1].data;                                                         \
    type *y = c->out.data;                                                                                     \
    for (int64_t i = 0, n = count(&c->out); i < n; i++)                                                        \
      y[i] = a[broadcast(&c->in[0], &c->out, i)] operation b[broadcast(&c->in[1], &c->out, i)];                \
  }
BINARY(add, float, +)
BINARY(add_i32, uint32_t, +)
BINARY(mul, float, *)
BINARY(mul_i32, uint32_t, *)

static void silu(const call *c) {
  const float *x = c->in[0].data;
  float *y = c->out.data;
  for (int64_t i = 0, n = count(&c->out); i < n; i++) y[i] = x[i] / (1.0f + expf(-x[i]));
}
static void rms_norm(const call *c) {
  const float *x = c->in[0].data, *w = c->in[1].data;
  float *y = c->out.data;
  int64_t n = columns(&c->out);
  for (int64_t row = 0; row < rows(&c->out); row++, x += n, y += n) {
    double squares = 0;
    for (int64_t i = 0; i < n; i++) squares += (double)x[i] * x[i];
    double scale = 1 / sqrt(squares / (double)n + c->node->f[BP_RMS_NORM_EPSILON]);
    for (int64_t i = 0; i < n; i++) {
      double weight = (w ? w[i] : 1) + c->node->f[BP_RMS_NORM_WEIGHT_OFFSET];
      y[i] = (float)(x[i] * scale * weight);
    }
  }
}
/* One chunk of rows of y = a b^T. Threads belong to the host: parallel_for calls this from its pool. */
static void matmul_rows(void *context, uint64_t begin, uint64_t end, uint32_t worker) {
  const call *c = context;
  const float *a = c->in[0].data, *b = c->in[1].data;
  float *y = c->out.data;
  (void)worker;
  int transposed = c->node->f[BP_MATMUL_TRANSPOSE_B] != 0; /* b is [N, K], as weights are stored */
  int64_t n = columns(&c->out), k = columns(&c->in[0]);
  for (uint64_t m = begin; m < end; m++)
    for (int64_t j = 0; j < n; j++) {
      float sum = 0;
      for (int64_t i = 0; i < k; i++) sum += a[(int64_t)m * k + i] * b[transposed ? j * k + i : i * n + j];
      y[(int64_t)m * n + j] = sum;
    }
}
static void matmul(const call *c) {
  c->host->parallel_for(c->host->ctx, (uint64_t)rows(&c->out), 1, matmul_rows, (void *)c, 0);
}

/* ---- what each kernel can do ----------------------------------------------------------------------------------------- */

/* A refusal names a reason of the catalogue, the operand, and the numbers where there are any. */
static uint32_t refuse(bp_verdict *v, uint32_t reason, uint32_t operand, int64_t limit, int64_t actual) {
  v->reason = reason;
  v->operand = operand;
  v->limit = limit;
  v->actual = actual;
  return v->support = BP_SUPPORT_NO;
}
static uint32_t accept(bp_verdict *v) { return v->support = BP_SUPPORT_YES; } /* estimates of time and bytes may be added here */
static uint32_t check_nothing(const bp_graph *g, const bp_node *n, bp_verdict *v) {
  (void)g, (void)n;
  return accept(v);
}
static uint32_t check_matmul(const bp_graph *g, const bp_node *n, bp_verdict *v) {
  for (uint32_t i = BP_MATMUL_IN_BIAS; i < n->n_in; i++)
    if (has(n, i)) return refuse(v, BP_REASON_OPERAND_UNEXPECTED, i, 0, 0); /* no bias, no residual */
  if (tensor_at(g, n->in[BP_MATMUL_IN_B])->rank != 2) return refuse(v, BP_REASON_RANK, BP_MATMUL_IN_B, 2, tensor_at(g, n->in[BP_MATMUL_IN_B])->rank);
  const bp_attr *activation = attr_at(n, BP_MATMUL_ACTIVATION);
  if (activation->count != 4 || memcmp(activation->data, "none", 4)) return refuse(v, BP_REASON_ATTRIBUTE, 0, 0, 0);
  return accept(v);
}

typedef struct kernel { /* one line adds an operator */
  bp_id op;
  uint32_t inputs; /* that must be there */
  uint32_t (*check)(const bp_graph *, const bp_node *, bp_verdict *);
  void (*run)(const call *), (*run_i32)(const call *); /* on f32; on i32, where the operator has it */
} kernel;
static const kernel kernels[] = {
    {BP_OP_ADD, 2, check_nothing, add, add_i32},
    {BP_OP_MUL, 2, check_nothing, mul, mul_i32},
    {BP_OP_SILU, 1, check_nothing, silu, NULL},
    {BP_OP_RMS_NORM, 1, check_nothing, rms_norm, NULL},
    {BP_OP_MATMUL, 2, check_matmul, matmul, NULL},
};
static const kernel *find(bp_id op) {
  for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
    if (kernels[i].op == op) return &kernels[i];
  return NULL;
}

/* What all kernels here need of a tensor: its format, dense. A stride of -1 says dense where a symbol decides the number. */
static uint32_t tensor_fault(const bp_tensor *t, const kernel *k) {
  if (t->dtype != BP_FORMAT_F32 && !(t->dtype == BP_FORMAT_I32 && k->run_i32)) return BP_REASON_DTYPE;
  if (t->layout != BP_LAYOUT_STRIDED) return BP_REASON_LAYOUT;
  int64_t dense = 4;
  for (uint32_t i = t->rank; i-- > 0;) {
    if (t->stride[i] >= 0 && dense >= 0 && t->stride[i] != dense && t->dim[i] != 1) return BP_REASON_LAYOUT;
    dense = t->dim[i] < 0 || dense < 0 ? -1 : dense * (t->dim[i] ? t->dim[i] : 1);
  }
  return BP_REASON_NONE;
}
static uint32_t judge(const bp_graph *g, const bp_node *n, bp_verdict *v) {
  const kernel *k = find(n->op);
  if (!k) return refuse(v, BP_REASON_OP_UNKNOWN, 0, 0, 0);
  if (n->op_version > 1) return refuse(v, BP_REASON_OP_VERSION, 0, 1, n->op_version);
  if (n->n_in > MAX_IN || n->n_out != 1) return refuse(v, BP_REASON_OPERAND_UNEXPECTED, n->n_in, MAX_IN, n->n_in);
  for (uint32_t i = 0; i < k->inputs; i++)
    if (!has(n, i)) return refuse(v, BP_REASON_OPERAND_MISSING, i, 0, 0);
  for (uint32_t i = 0; i < n->n_in + n->n_out; i++) { /* operands count inputs, then outputs */
    uint32_t number = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
    if (number == BP_NO_TENSOR) continue;
    uint32_t fault = tensor_fault(tensor_at(g, number), k);
    if (fault) return refuse(v, fault, i, 0, 0);
  }
  return k->check(g, n, v);
}
static bp_status device_query(bp_device d, const bp_graph *g, bp_verdict *out, uint32_t stride, uint32_t n, bp_error *error) {
  (void)d;
  if (!g || n > g->nodes.count) return fail(error, BP_E_INVALID, 0, "%u verdicts wanted for %u nodes", n, g ? g->nodes.count : 0);
  for (uint32_t i = 0; i < n; i++) {
    bp_verdict v = {.node_index = i};
    judge(g, node_at(g, i), &v);
    put((char *)out + (uint64_t)i * stride, &v, sizeof v);
  }
  return BP_OK;
}

/* ---- buffers: host memory -------------------------------------------------------------------------------------------- */

static void *take(const bp_host *host, uint64_t bytes) {
  void *p = host->alloc(host->ctx, bytes ? bytes : 1, ALIGN, TAG);
  if (p) memset(p, 0, bytes);
  return p;
}
static void give(const bp_host *host, void *p, uint64_t bytes) {
  if (p) host->free(host->ctx, p, bytes ? bytes : 1, ALIGN, TAG);
}
static bp_status buffer_create(bp_device d, const bp_buffer_desc *desc, bp_buffer *out, bp_buffer_info *info, bp_error *error) {
  if (must_refuse(&desc->h)) return fail(error, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "an extension of the buffer's description is unknown");
  if (desc->memory_type != 0) return fail(error, BP_E_INVALID, 0, "there is no memory type %u, only 0", desc->memory_type);
  if (desc->source != BP_SOURCE_ALLOCATE && desc->source != BP_SOURCE_HOST_POINTER)
    return fail(error, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "buffer source %u is not supported", desc->source);
  if (desc->align > ALIGN) return fail(error, BP_E_UNSUPPORTED, BP_REASON_ALIGN, "alignment of at most %d", ALIGN);
  bp_buffer b = take(d->host, sizeof *b);
  if (!b) return fail(error, BP_E_OOM_HOST, 0, "no memory for a buffer's handle");
  b->bytes = desc->bytes;
  b->imported = desc->source == BP_SOURCE_HOST_POINTER;
  b->data = b->imported ? desc->host_ptr : take(d->host, desc->bytes);
  if (!b->data && desc->bytes) {
    give(d->host, b, sizeof *b);
    return fail(error, BP_E_OOM_HOST, 0, "no memory for %llu bytes", (unsigned long long)desc->bytes);
  }
  bp_buffer_info made = {.bytes = desc->bytes, .actual_bytes = b->imported ? 0 : desc->bytes};
  if (info) put(info, &made, sizeof made);
  *out = b;
  return BP_OK;
}
static void buffer_destroy(bp_device d, bp_buffer b) {
  if (!b->imported) give(d->host, b->data, b->bytes);
  give(d->host, b, sizeof *b);
}
static bp_status buffer_map(bp_device d, bp_buffer b, uint64_t off, uint64_t len, uint32_t access, void **out, bp_error *error) {
  (void)d, (void)access;
  if (off > b->bytes || len > b->bytes - off) return fail(error, BP_E_INVALID, 0, "range beyond the buffer's %llu bytes", (unsigned long long)b->bytes);
  *out = (char *)b->data + off;
  return BP_OK;
}
static bp_status buffer_unmap(bp_device d, bp_buffer b, bp_error *error) {
  (void)d, (void)b, (void)error;
  return BP_OK;
}

/* ---- programs ---------------------------------------------------------------------------------------------------------- */

/* Tensors that are neither input nor output of the graph lie in the workspace: here each in a place of its own. */
static void place(bp_program p, const bp_graph *g) {
  for (uint32_t i = 0; i < p->n_tensors; i++) p->tensors[i].binding = -1;
  for (uint32_t i = 0; i < g->n_inputs; i++) p->tensors[g->inputs[i]].binding = (int32_t)i;
  for (uint32_t i = 0; i < g->n_outputs; i++) p->tensors[g->outputs[i]].binding = (int32_t)(g->n_inputs + i);
  for (uint32_t i = 0; i < p->n_tensors; i++) {
    tensor *t = &p->tensors[i];
    if (t->binding >= 0) continue;
    t->offset = p->workspace;
    p->workspace += (t->capacity + ALIGN - 1) / ALIGN * ALIGN;
    bp_placement *where = &p->places[p->n_places++];
    *where = (bp_placement){.h = {sizeof *where, BP_ST_PLACEMENT, NULL}, .tensor = i, .alias_of = BP_NO_TENSOR};
    where->end_node = p->n_nodes;
    where->offset = t->offset;
    where->bytes = t->capacity;
  }
}
static void program_destroy(bp_program p) { give(p->device->host, p, p->bytes); }

static bp_status program_create(bp_device d, const bp_compile *c, bp_program *out, bp_error *error) {
  const bp_graph *g = c->graph;
  uint64_t bytes = sizeof(struct bp_program_s) + g->nodes.count * sizeof(node) + g->tensors.count * (sizeof(tensor) + sizeof(bp_placement));
  bp_program p = take(d->host, bytes); /* one block: header, nodes, tensors, placements */
  if (!p) return fail(error, BP_E_OOM_HOST, 0, "no memory for a program of %u nodes", g->nodes.count);
  p->device = d;
  p->bytes = bytes;
  p->n_nodes = g->nodes.count;
  p->n_tensors = g->tensors.count;
  p->nodes = (node *)(p + 1);
  p->tensors = (tensor *)(p->nodes + p->n_nodes);
  p->places = (bp_placement *)(p->tensors + p->n_tensors);
  for (uint32_t i = 0; i < p->n_tensors; i++) {
    const bp_tensor *from = tensor_at(g, i);
    tensor *t = &p->tensors[i];
    t->rank = from->rank;
    t->capacity = 4;
    for (uint32_t k = 0; k < from->rank; k++) {
      t->dim[k] = from->dim[k];
      t->symbol[k] = from->symbol[k];
      t->capacity *= (uint64_t)from->dim_max[k];
    }
  }
  for (uint32_t i = 0; i < p->n_nodes; i++) {
    const bp_node *from = node_at(g, i);
    bp_verdict v = {.h = {sizeof v, BP_ST_VERDICT, NULL}};
    if (judge(g, from, &v) == BP_SUPPORT_NO) { /* the host has asked before; a graph that came another way is refused here */
      program_destroy(p);
      if (error) error->node_plus_1 = i + 1;
      return fail(error, BP_E_UNSUPPORTED, v.reason, "node %u has no kernel here", i);
    }
    node *n = &p->nodes[i];
    n->run = tensor_at(g, from->out[0])->dtype == BP_FORMAT_I32 ? find(from->op)->run_i32 : find(from->op)->run;
    for (uint32_t k = 0; k < MAX_IN; k++) n->in[k] = k < from->n_in ? from->in[k] : BP_NO_TENSOR;
    n->out = from->out[0];
    for (uint32_t k = 0; k < 2 && k < from->attrs.count; k++) {
      const bp_attr *a = attr_at(from, k);
      n->f[k] = a->kind == BP_ATTR_F64 ? a->f : (double)a->i;
    }
  }
  place(p, g);
  *out = p;
  return BP_OK;
}
static bp_status program_info(bp_program p, bp_program_info *out, bp_error *error) {
  (void)error;
  bp_program_info made = {.workspace_bytes = p->workspace, .workspace_align = ALIGN, .n_kernels = p->n_nodes};
  made.placements = (bp_array){p->places, p->n_places, sizeof *p->places};
  put(out, &made, sizeof made);
  return BP_OK;
}

/* ---- running: everything from here on is told to us by the dispatch; nothing is allocated -------------------------------- */

static void *address(const bp_binding *b) { return (char *)b->buffer->data + b->offset; }
static view view_of(const struct bp_program_s *p, uint32_t number, const bp_dispatch *run) {
  view v = {0};
  if (number == BP_NO_TENSOR) return v;
  const tensor *t = &p->tensors[number];
  v.data = t->binding >= 0 ? address(at(run->bindings, (uint32_t)t->binding)) : (char *)address(run->workspace) + t->offset;
  v.rank = t->rank;
  for (uint32_t i = 0; i < t->rank; i++) {
    v.dim[i] = t->dim[i];
    for (uint32_t s = 0; t->dim[i] < 0 && s < run->symbols.count; s++) {
      const bp_symbol_value *value = at(run->symbols, s);
      if (value->symbol == t->symbol[i]) v.dim[i] = value->value;
    }
  }
  return v;
}
static bp_status execute(bp_device d, const bp_submission *s, bp_error *error) {
  for (uint32_t i = 0; i < s->copies.count; i++) { /* copies come first */
    const bp_copy *c = at(s->copies, i);
    uint64_t runs = c->rows ? c->rows : 1;
    for (uint64_t r = 0; r < runs; r++)
      memmove((char *)address(c->dst) + r * c->dst_pitch, (char *)address(c->src) + r * c->src_pitch, c->src->bytes);
  }
  for (uint32_t i = 0; i < s->dispatches.count; i++) {
    const bp_dispatch *run = at(s->dispatches, i);
    const struct bp_program_s *p = run->program;
    if (p->workspace && !run->workspace) return fail(error, BP_E_INVALID, 0, "a workspace of %llu bytes is missing", (unsigned long long)p->workspace);
    for (uint32_t k = 0; k < p->n_nodes; k++) {
      if (s->cancel && d->host->cancelled(d->host->ctx, s->cancel)) return fail(error, BP_E_CANCELLED, 0, "cancelled before node %u", k);
      call c = {.host = d->host, .node = &p->nodes[k], .out = view_of(p, p->nodes[k].out, run)};
      for (uint32_t m = 0; m < MAX_IN; m++) c.in[m] = view_of(p, p->nodes[k].in[m], run);
      p->nodes[k].run(&c);
    }
  }
  return BP_OK;
}

/* ---- device and plugin ---------------------------------------------------------------------------------------------------- */

#define STRING(text) {text, sizeof text - 1}

static bp_status device_info(bp_device d, bp_device_info *out, bp_error *error) {
  (void)error;
  bp_device_info made = {
      .kind = BP_KIND_OTHER,
      .name = STRING("Template device"),
      .vendor = STRING("Your company"),
      .groups = BP_GROUP_BASE,
      .memory_types = {&d->memory, 1, sizeof d->memory},
      .caps_epoch = 1,
  };
  put(out, &made, sizeof made);
  return BP_OK;
}
static const bp_device_fns device_functions = {
    .h = {sizeof(bp_device_fns), BP_ST_DEVICE_FNS, NULL},
    .info = device_info,
    .query = device_query,
    .buffer_create = buffer_create,
    .buffer_destroy = buffer_destroy,
    .buffer_map = buffer_map,
    .buffer_unmap = buffer_unmap,
    .program_create = program_create,
    .program_info = program_info,
    .program_destroy = program_destroy,
    .execute = execute,
};

static bp_status instance_create(const bp_host *host, bp_instance *out, bp_error *error) {
  bp_instance instance = take(host, sizeof *instance);
  if (!instance) return fail(error, BP_E_OOM_HOST, 0, "no memory for the instance");
  instance->host = host;
  *out = instance;
  return BP_OK;
}
static void instance_destroy(bp_instance instance) { give(instance->host, instance, sizeof *instance); }
static bp_status device_count(bp_instance instance, uint32_t *out, bp_error *error) {
  (void)instance, (void)error;
  *out = 1; /* ask the driver here; 0 is a fine answer */
  return BP_OK;
}
static bp_status device_open(bp_instance instance, uint32_t index, bp_device *out, const bp_device_fns **functions, bp_error *error) {
  if (index != 0) return fail(error, BP_E_INVALID, 0, "there is no device %u", index);
  bp_device d = take(instance->host, sizeof *d);
  if (!d) return fail(error, BP_E_OOM_HOST, 0, "no memory for the device");
  d->host = instance->host;
  d->memory.h = (bp_head){sizeof d->memory, BP_ST_MEMORY_TYPE, NULL};
  d->memory.flags = BP_MEMORY_HOST_VISIBLE | BP_MEMORY_COHERENT | BP_MEMORY_CACHED | BP_MEMORY_UNIFIED | BP_MEMORY_IMPORT_HOST | BP_MEMORY_READONLY_OK;
  d->memory.align = ALIGN;
  *out = d;
  *functions = &device_functions;
  return BP_OK;
}
static void device_close(bp_device d) { give(d->host, d, sizeof *d); }

/* The one exported symbol. Pure: it may be called before anything else, and often. */
const bp_plugin *bp_plugin_query(uint32_t host_min, uint32_t host_max) {
  static const bp_plugin plugin = {
      .h = {sizeof(bp_plugin), BP_ST_PLUGIN, NULL},
      .abi_min = BP_ABI_1_0,
      .abi_max = BP_ABI_THIS,
      .name = STRING("Template"), /* device IDs begin with it: template:0 */
      .vendor = STRING("Your company"),
      .version = STRING("0.1"),
      .build_id = STRING(__DATE__ " " __TIME__),
#ifndef __OPTIMIZE__
      .flags = BP_PLUGIN_DEBUG_BUILD,
#endif
      .abi_layout_hash = BP_ABI_LAYOUT_HASH_1_0,
      .instance_create = instance_create,
      .instance_destroy = instance_destroy,
      .device_count = device_count,
      .device_open = device_open,
      .device_close = device_close,
  };
  return host_max < BP_ABI_1_0 || host_min > BP_ABI_THIS ? NULL : &plugin;
}
