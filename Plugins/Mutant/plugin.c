/* The mutant's device: host memory, group Base, one node after the other. Model: Plugins/Template. Faults of "device" live here. */
#define BP_EMIT_NOTE
#include "mutant.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

_Thread_local int mutant_active;

typedef struct fault_entry {
  int id;
  const char *op, *class, *name, *text;
} fault_entry;
static const fault_entry faults[] = {
#define MUTANT(id, op, class, name, text) {id, #op, #class, #name, text},
#include "mutant_faults.def"
#undef MUTANT
};
enum { N_FAULTS = sizeof faults / sizeof *faults };

struct bp_instance_s {
  const bp_host *host;
  int fault;
  bp_id fault_op;   /* 0: a fault of the device */
  bp_str json;      /* what extension "mutant.faults" gives */
  uint64_t capacity; /* bytes of json.ptr */
};
struct bp_device_s {
  const bp_host *host;
  int fault;
  bp_id fault_op;
  bp_memory_type memory;
  bp_attr declared;
  int lost;
};
struct bp_buffer_s {
  char *data;
  uint64_t bytes;
  int imported, writable;
};
typedef struct tensor {
  bp_id dtype;
  uint32_t rank;
  int64_t block, block_bytes;
  int64_t dim[BP_MAX_DIMS], stride[BP_MAX_DIMS], most[BP_MAX_DIMS];
  uint32_t symbol[BP_MAX_DIMS];
  int32_t binding; /* -1: in the workspace */
  uint64_t offset, capacity;
} tensor;
typedef struct node {
  const kernel *kernel;
  uint32_t in[MAX_IN], out[MAX_OUT], n_in, n_attrs, first_attr;
} node;
struct bp_program_s {
  bp_device device;
  uint32_t n_tensors, n_nodes, n_places, n_in, n_out;
  uint64_t bytes, workspace;
  tensor *tensors;
  node *nodes;
  attribute *attrs;
  uint32_t *bound; /* tensor of each binding: inputs, then outputs */
  bp_placement *places;
  call shared; /* of fault 470 */
};

/* Switches the fault on for work of `op`, 0 being the device itself. */
static void enter(bp_device d, bp_id op) { mutant_active = d->fault_op == op ? d->fault : 0; }

/* ---- errors, records ---- */

static bp_status fail(bp_error *error, bp_status code, uint32_t reason, const char *format, ...) {
  if (!error || FAULT(457)) return code;
  error->code = code;
  error->reason = reason;
  strcpy(error->src_file, "plugin.c");
  va_list values;
  va_start(values, format);
  vsnprintf(error->message, sizeof error->message, format, values);
  va_end(values);
  return code;
}

/* A record as far as its producer wrote it, the rest 0. */
static void read_record(void *to, const void *from, size_t size) {
  uint32_t given = ((const bp_head *)from)->struct_size;
  memset(to, 0, size);
  memcpy(to, from, given < size ? given : size);
}
#define READ(type, name, from) type name; read_record(&name, from, sizeof name)
/* A record as far as its reader has room; its head stays. */
static void write_record(void *to, const void *from, size_t size) {
  uint32_t room = ((const bp_head *)to)->struct_size;
  if (FAULT(463)) room = (uint32_t)size;
  if (room < size) size = room;
  if (size > sizeof(bp_head)) memcpy((char *)to + sizeof(bp_head), (const char *)from + sizeof(bp_head), size - sizeof(bp_head));
}
static const void *at(bp_array a, uint32_t i) { return (const char *)a.ptr + (uint64_t)i * a.stride; }
/* 1 when the chain holds nothing that must be understood. */
static int is_understood(const void *record) {
  for (const bp_head *h = ((const bp_head *)record)->next; h && !FAULT(468); h = h->next)
    if (h->struct_type >> 31) return 0;
  return 1;
}

static void *take(const bp_host *host, uint64_t bytes) {
  void *p = host->alloc(host->ctx, bytes ? bytes : 1, ALIGN, TAG);
  if (p) memset(p, 0, bytes);
  return p;
}
static void give(const bp_host *host, void *p, uint64_t bytes) {
  if (p) host->free(host->ctx, p, bytes ? bytes : 1, ALIGN, TAG);
}
void *scratch(call *c, int64_t bytes) {
  void *p = c->n_scratch < MAX_SCRATCH ? take(c->host, (uint64_t)bytes) : NULL;
  if (!p) return c->status = BP_E_OOM_HOST, NULL;
  c->scratch[c->n_scratch].p = p;
  c->scratch[c->n_scratch++].bytes = (uint64_t)bytes;
  return p;
}

/* ---- query ---- */

static int is_index(bp_id f) { return f == BP_FORMAT_I32 || f == BP_FORMAT_I64; }
static int takes(char operand, bp_id f, int64_t block) {
  switch (operand) {
  case 'f': return is_float(f);
  case 'b': return is_float(f) || block > 1;
  case 'w': return block > 1;
  case 'p': return block == 1;
  case 'n': return f == BP_FORMAT_F32;
  case 'i': return is_index(f);
  case 'd': return is_float(f) || f == BP_FORMAT_I32;
  case 'x': return is_float(f) || is_index(f);
  case 's': return f == BP_FORMAT_I8 || f == BP_FORMAT_U8;
  case 'z': return f == BP_FORMAT_I8 || f == BP_FORMAT_U8 || f == BP_FORMAT_I32;
  case 'o': return f == BP_FORMAT_BOOL;
  case 'q': return is_float(f) || f == BP_FORMAT_Q8_0 || f == BP_FORMAT_Q4_0;
  case 'm': return f == BP_FORMAT_F32 || f == BP_FORMAT_F16 || f == BP_FORMAT_BOOL;
  case 'c': return is_float(f) || is_index(f) || f == BP_FORMAT_I8 || f == BP_FORMAT_U8 || f == BP_FORMAT_BOOL;
  default: return 1;
  }
}
static uint32_t refuse(bp_verdict *v, uint32_t reason, uint32_t operand, int64_t limit, int64_t actual) {
  v->reason = FAULT(461) ? BP_REASON_NONE : reason;
  v->operand = operand, v->limit = limit, v->actual = actual;
  return v->support = BP_SUPPORT_NO;
}
static uint32_t judge(bp_device d, const bp_graph *g, const bp_node *n, bp_verdict *v) {
  const kernel *k = kernel_for(n->op);
  if (!k) return refuse(v, BP_REASON_OP_UNKNOWN, 0, 0, 0);
  if (n->op_version > 1) return refuse(v, BP_REASON_OP_VERSION, 0, 1, n->op_version);
  uint32_t known = (uint32_t)strlen(k->operands), most = k->repeats ? MAX_IN : known;
  if (n->n_in > most || n->n_out > MAX_OUT) return refuse(v, BP_REASON_OPERAND_UNEXPECTED, most, most, n->n_in);
  for (uint32_t i = 0; i < k->required; i++)
    if (i >= n->n_in || n->in[i] == BP_NO_TENSOR) return refuse(v, BP_REASON_OPERAND_MISSING, i, 0, 0);
  for (uint32_t i = 0; i < n->n_in + n->n_out; i++) { /* operands count inputs, then outputs */
    uint32_t number = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
    if (number == BP_NO_TENSOR) continue;
    READ(bp_tensor, t, at(g->tensors, number));
    int64_t block, bytes;
    if (!format_size(t.dtype, &block, &bytes)) return refuse(v, BP_REASON_DTYPE, i, 0, 0);
    if (i < n->n_in && !takes(k->operands[i < known ? i : known - 1], t.dtype, block)) return refuse(v, BP_REASON_DTYPE, i, 0, 0);
    if (t.layout != BP_LAYOUT_STRIDED) return refuse(v, BP_REASON_LAYOUT, i, 0, 0);
    if (t.rank > BP_MAX_DIMS) return refuse(v, BP_REASON_RANK, i, BP_MAX_DIMS, t.rank);
  }
  if (d->declared.name && d->fault_op == n->op) v->declares = (bp_array){&d->declared, 1, sizeof d->declared};
  return v->support = BP_SUPPORT_YES;
}
static bp_status device_query(bp_device d, const bp_graph *graph, bp_verdict *out, uint32_t stride, uint32_t n, bp_error *error) {
  enter(d, 0);
  if (!graph || (n && !out)) return fail(error, BP_E_INVALID, 0, "query: graph or verdicts are NULL");
  READ(bp_graph, g, graph);
  if (!is_understood(graph)) return fail(error, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "query: an extension of the graph is not known here");
  if (n != g.nodes.count) return fail(error, BP_E_INVALID, 0, "query: %u verdicts wanted for %u nodes", n, g.nodes.count);
  bp_id before = 0;
  for (uint32_t i = 0; i < n; i++) {
    READ(bp_node, one, at(g.nodes, i));
    bp_verdict v = {.node_index = i};
    judge(d, &g, &one, &v);
    if (FAULT(462) && one.op == before) refuse(&v, BP_REASON_GRAPH_LIMIT, 0, 1, 2);
    before = one.op;
    write_record((char *)out + (uint64_t)i * stride, &v, sizeof v);
  }
  return BP_OK;
}

/* ---- buffers ---- */

static bp_status buffer_create(bp_device d, const bp_buffer_desc *given, bp_buffer *out, bp_buffer_info *info, bp_error *error) {
  enter(d, 0);
  if (d->lost) return fail(error, BP_E_DEVICE_LOST, 0, "buffer_create: the device is lost");
  if (!given || !out) return fail(error, BP_E_INVALID, 0, "buffer_create: description or result is NULL");
  READ(bp_buffer_desc, desc, given);
  if (!is_understood(given)) return fail(error, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "buffer_create: an extension is not known here");
  if (desc.memory_type != 0) return fail(error, BP_E_INVALID, 0, "buffer_create: there is no memory type %u", desc.memory_type);
  if (desc.source != BP_SOURCE_ALLOCATE && desc.source != BP_SOURCE_HOST_POINTER)
    return fail(error, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "buffer_create: source %u is not supported", desc.source);
  if (desc.align > ALIGN) return fail(error, BP_E_UNSUPPORTED, BP_REASON_ALIGN, "buffer_create: alignment of at most %d", ALIGN);
  bp_buffer b = take(d->host, sizeof *b);
  if (!b) return fail(error, BP_E_OOM_HOST, 0, "buffer_create: no memory for the handle");
  b->bytes = desc.bytes;
  b->imported = desc.source == BP_SOURCE_HOST_POINTER;
  b->writable = !b->imported || (desc.access & BP_ACCESS_WRITE);
  if (FAULT(469)) b->writable = 1;
  b->data = b->imported ? desc.host_ptr : take(d->host, desc.bytes);
  if (!b->data && desc.bytes) {
    if (!FAULT(453)) give(d->host, b, sizeof *b);
    return fail(error, b->imported ? BP_E_INVALID : BP_E_OOM_HOST, 0, "buffer_create: no memory for %llu bytes", (unsigned long long)desc.bytes);
  }
  if (info) {
    bp_buffer_info i = {.bytes = desc.bytes, .actual_bytes = b->imported ? 0 : desc.bytes};
    write_record(info, &i, sizeof i);
  }
  *out = b;
  return BP_OK;
}
static void buffer_destroy(bp_device d, bp_buffer b) {
  enter(d, 0);
  if (!b) return;
  if (!b->imported) give(d->host, b->data, b->bytes);
  if (!FAULT(451)) give(d->host, b, sizeof *b);
}
static bp_status buffer_map(bp_device d, bp_buffer b, uint64_t off, uint64_t len, uint32_t access, void **out, bp_error *error) {
  enter(d, 0);
  if (!b || !out) return fail(error, BP_E_INVALID, 0, "buffer_map: buffer or result is NULL");
  if (!FAULT(460) && (off > b->bytes || len > b->bytes - off))
    return fail(error, BP_E_INVALID, 0, "buffer_map: range beyond the buffer's %llu bytes", (unsigned long long)b->bytes);
  if ((access & BP_ACCESS_WRITE) && !b->writable) return fail(error, BP_E_INVALID, 0, "buffer_map: the buffer was imported read-only");
  *out = b->data + off;
  return BP_OK;
}
static bp_status buffer_unmap(bp_device d, bp_buffer b, bp_error *error) {
  (void)d, (void)b, (void)error;
  return BP_OK;
}

/* ---- programs ---- */

/* Bytes from the first to the last element; 0 when an extent is 0. */
static uint64_t span(const view *v) {
  uint64_t bytes = (uint64_t)v->block_bytes;
  for (uint32_t i = 0; i < v->rank; i++) {
    int64_t units = i + 1 == v->rank ? v->dim[i] / v->block : v->dim[i];
    if (units <= 0) return 0;
    bytes += (uint64_t)((units - 1) * v->stride[i]);
  }
  return bytes;
}
/* A tensor with its symbols' values; its upper bounds when `symbols` is NULL. */
static view shape_of(const tensor *t, const bp_array *symbols) {
  view v = {.dtype = t->dtype, .rank = t->rank, .block = t->block, .block_bytes = t->block_bytes};
  int64_t dense = t->block_bytes;
  for (uint32_t i = t->rank; i-- > 0;) {
    v.dim[i] = t->symbol[i] || t->dim[i] < 0 ? t->most[i] : t->dim[i];
    for (uint32_t s = 0; symbols && t->symbol[i] && s < symbols->count; s++) {
      READ(bp_symbol_value, value, at(*symbols, s));
      if (value.symbol == t->symbol[i] && !FAULT(472)) v.dim[i] = value.value;
      if (FAULT(466)) { READ(bp_symbol_value, first, at(*symbols, 0)); v.dim[i] = first.value; }
    }
    v.stride[i] = t->stride[i] < 0 ? dense : t->stride[i];
    int64_t units = i + 1 == t->rank ? v.dim[i] / v.block : v.dim[i];
    dense = v.stride[i] * (units > 1 ? units : 1);
  }
  return v;
}
/* Tensors that are not bound lie in the workspace, each in a place of its own. */
static void place(bp_program p) {
  for (uint32_t i = 0; i < p->n_tensors; i++) {
    tensor *t = &p->tensors[i];
    if (t->binding >= 0 || !t->block) continue;
    view most = shape_of(t, NULL);
    t->capacity = span(&most);
    t->offset = p->workspace;
    if (FAULT(471) && p->n_places == 1) t->offset = p->places[0].offset;
    else p->workspace += (t->capacity + ALIGN - 1) / ALIGN * ALIGN;
    bp_placement *where = &p->places[p->n_places++];
    *where = (bp_placement){.h = {sizeof *where, BP_ST_PLACEMENT, NULL}, .tensor = i, .alias_of = BP_NO_TENSOR, .end_node = p->n_nodes};
    where->offset = t->offset, where->bytes = t->capacity;
  }
}
static void program_destroy(bp_program p) {
  if (!p) return;
  enter(p->device, 0);
  if (FAULT(452)) return;
  give(p->device->host, p, p->bytes);
}
static void read_tensor(tensor *to, const bp_tensor *from) {
  to->dtype = from->dtype, to->rank = from->rank <= BP_MAX_DIMS ? from->rank : 0, to->binding = -1;
  format_size(from->dtype, &to->block, &to->block_bytes);
  for (uint32_t k = 0; k < to->rank; k++) {
    to->dim[k] = from->dim[k], to->stride[k] = from->stride[k], to->symbol[k] = from->symbol[k];
    to->most[k] = from->symbol[k] ? from->dim_max[k] : from->dim[k];
  }
}
static uint64_t attr_bytes(const bp_attr *a) { return a->kind == BP_ATTR_STR ? a->count : a->kind >= BP_ATTR_I64S ? 8ull * a->count : 0; }

static bp_status program_create(bp_device d, const bp_compile *given, bp_program *out, bp_error *error) {
  enter(d, 0);
  if (d->lost) return fail(error, BP_E_DEVICE_LOST, 0, "program_create: the device is lost");
  if (!given || !out || !given->graph) return fail(error, BP_E_INVALID, 0, "program_create: graph or result is NULL");
  READ(bp_compile, compile, given);
  READ(bp_graph, g, compile.graph);
  if (!is_understood(given) || !is_understood(compile.graph)) return fail(error, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "program_create: an extension is not known here");
  if (compile.cancel && d->host->cancelled(d->host->ctx, compile.cancel)) return fail(error, BP_E_CANCELLED, 0, "program_create: cancelled");
  if (FAULT(464)) g.tensors.stride = sizeof(bp_tensor), g.nodes.stride = sizeof(bp_node);
  uint64_t n_attrs = 0, data = 0;
  for (uint32_t i = 0; i < g.nodes.count; i++) {
    READ(bp_node, n, at(g.nodes, i));
    n_attrs += n.attrs.count;
    for (uint32_t k = 0; k < n.attrs.count; k++) { READ(bp_attr, a, at(n.attrs, k)); data += (attr_bytes(&a) + 7) / 8 * 8; }
  }
  uint32_t bound = g.n_inputs + g.n_outputs;
  uint64_t bytes = sizeof(struct bp_program_s) + g.tensors.count * (sizeof(tensor) + sizeof(bp_placement)) + g.nodes.count * sizeof(node) +
                   n_attrs * sizeof(attribute) + data + (bound + 1) / 2 * 8;
  bp_program p = take(d->host, bytes); /* one block */
  if (!p) return fail(error, BP_E_OOM_HOST, 0, "program_create: no memory for %u nodes", g.nodes.count);
  p->device = d, p->bytes = bytes, p->n_nodes = g.nodes.count, p->n_tensors = g.tensors.count, p->n_in = g.n_inputs, p->n_out = g.n_outputs;
  p->tensors = (tensor *)(p + 1);
  p->places = (bp_placement *)(p->tensors + p->n_tensors);
  p->nodes = (node *)(p->places + p->n_tensors);
  p->attrs = (attribute *)(p->nodes + p->n_nodes);
  char *free_data = (char *)(p->attrs + n_attrs);
  p->bound = (uint32_t *)(free_data + data);
  for (uint32_t i = 0; i < p->n_tensors; i++) { READ(bp_tensor, t, at(g.tensors, i)); read_tensor(&p->tensors[i], &t); }
  for (uint32_t i = 0; i < bound; i++) {
    p->bound[i] = i < g.n_inputs ? g.inputs[i] : g.outputs[i - g.n_inputs];
    p->tensors[p->bound[i]].binding = (int32_t)i;
  }
  uint32_t next_attr = 0;
  for (uint32_t i = 0; i < p->n_nodes; i++) {
    READ(bp_node, from, at(g.nodes, i));
    bp_verdict v = {0};
    node *n = &p->nodes[i];
    if (judge(d, &g, &from, &v) == BP_SUPPORT_NO) {
      if (FAULT(456)) continue; /* nothing will be done */
      program_destroy(p);
      if (error && !FAULT(473)) error->node_plus_1 = i + 1;
      return fail(error, BP_E_UNSUPPORTED, v.reason, "program_create: node %u has no kernel here", i);
    }
    n->kernel = kernel_for(from.op), n->n_in = from.n_in, n->n_attrs = from.attrs.count, n->first_attr = next_attr;
    for (uint32_t k = 0; k < MAX_IN; k++) n->in[k] = k < from.n_in ? from.in[k] : BP_NO_TENSOR;
    for (uint32_t k = 0; k < MAX_OUT; k++) n->out[k] = k < from.n_out ? from.out[k] : BP_NO_TENSOR;
    for (uint32_t k = 0; k < from.attrs.count; k++) {
      READ(bp_attr, a, at(from.attrs, k));
      uint64_t size = attr_bytes(&a);
      if (size) memcpy(free_data, a.data, size);
      p->attrs[next_attr++] = (attribute){a.kind, a.count, a.i, a.kind == BP_ATTR_I64 ? (double)a.i : a.f, free_data};
      free_data += (size + 7) / 8 * 8;
    }
  }
  place(p);
  *out = p;
  return BP_OK;
}
static bp_status program_info(bp_program p, bp_program_info *out, bp_error *error) {
  enter(p->device, 0);
  if (!out) return fail(error, BP_E_INVALID, 0, "program_info: the result is NULL");
  bp_program_info info = {.workspace_bytes = p->workspace, .workspace_align = ALIGN, .n_kernels = p->n_nodes};
  info.placements = (bp_array){p->places, p->n_places, sizeof *p->places};
  write_record(out, &info, sizeof info);
  return BP_OK;
}

/* ---- running ---- */

/* A range of a buffer that a submission names, or NULL. */
static char *range(const bp_binding *given, uint64_t needed, int written) {
  if (!given) return NULL;
  READ(bp_binding, b, given);
  if (!b.buffer || b.offset > b.buffer->bytes || b.bytes > b.buffer->bytes - b.offset) return NULL;
  if (b.bytes < needed && !FAULT(455)) return NULL;
  return written && !b.buffer->writable ? NULL : b.buffer->data + b.offset;
}
static bp_status view_of(const struct bp_program_s *p, uint32_t number, const bp_dispatch *run, char *workspace, view *v) {
  memset(v, 0, sizeof *v);
  if (number == BP_NO_TENSOR) return BP_OK;
  const tensor *t = &p->tensors[number];
  *v = shape_of(t, &run->symbols);
  if (t->binding < 0) return v->data = workspace + t->offset, BP_OK;
  uint64_t needed = span(v);
  v->data = range(at(run->bindings, (uint32_t)t->binding), needed, (uint32_t)t->binding >= p->n_in);
  static char nothing[64]; /* an empty tensor may have no memory */
  if (!v->data && needed == 0) v->data = nothing;
  return v->data ? BP_OK : BP_E_INVALID;
}
static bp_status run_node(bp_device d, const struct bp_program_s *p, const node *n, const bp_dispatch *run, char *workspace, call *c) {
  memset(c, 0, sizeof *c);
  c->host = d->host, c->op = n->kernel->op, c->n_in = n->n_in, c->n_attrs = n->n_attrs, c->attrs = p->attrs + n->first_attr;
  for (uint32_t i = 0; i < n->n_in; i++) if (view_of(p, n->in[i], run, workspace, &c->in[i])) return BP_E_INVALID;
  for (uint32_t i = 0; i < MAX_OUT; i++) if (view_of(p, n->out[i], run, workspace, &c->out[i])) return BP_E_INVALID;
  if (FAULT(470)) nanosleep(&(struct timespec){0, 1000000}, NULL); /* the window, wide open */
  int keeps = FAULT(450), hides = FAULT(465);
  enter(d, n->kernel->op);
  int wanted = 0; /* an empty result needs no work, but beside it there may be others */
  for (uint32_t i = 0; i < MAX_OUT; i++) wanted |= c->out[i].data && count(&c->out[i]) > 0;
  if (wanted) n->kernel->run(c);
  enter(d, 0);
  for (uint32_t i = 0; i < c->n_scratch && !keeps; i++) give(c->host, c->scratch[i].p, c->scratch[i].bytes);
  return hides ? BP_OK : c->status;
}
static bp_status run_copy(const bp_copy *given, bp_error *error) {
  READ(bp_copy, c, given);
  if (!c.src || !c.dst) return fail(error, BP_E_INVALID, 0, "execute: a copy without source or destination");
  uint64_t runs = c.rows ? c.rows : 1, length = c.src->bytes;
  char *from = range(c.src, 0, 0), *to = range(c.dst, 0, 1);
  if (!from || !to) return fail(error, BP_E_INVALID, 0, "execute: a copy leaves its buffer");
  if (c.src->offset + (runs - 1) * c.src_pitch + length > c.src->buffer->bytes || c.dst->offset + (runs - 1) * c.dst_pitch + length > c.dst->buffer->bytes)
    return fail(error, BP_E_INVALID, 0, "execute: a copy of %llu rows leaves its buffer", (unsigned long long)runs);
  for (uint64_t r = 0; r < runs; r++) memmove(to + r * (FAULT(467) ? length : c.dst_pitch), from + r * c.src_pitch, length);
  return BP_OK;
}
static bp_status must_stop(bp_device d, const bp_submission *s, bp_error *error) {
  if (s->cancel && !FAULT(458) && d->host->cancelled(d->host->ctx, s->cancel)) return fail(error, BP_E_CANCELLED, 0, "execute: cancelled");
  if (s->deadline_ns && !FAULT(459) && d->host->now_ns(d->host->ctx) > s->deadline_ns) return fail(error, BP_E_TIMEOUT, 0, "execute: past the deadline");
  return BP_OK;
}
static bp_status run_dispatch(bp_device d, const bp_submission *s, const bp_dispatch *run, bp_error *error) {
  bp_program p = run->program;
  if (!p) return fail(error, BP_E_INVALID, 0, "execute: the program is NULL");
  if (run->entry) return fail(error, BP_E_INVALID, 0, "execute: there is no entry %u", run->entry);
  if (run->bindings.count != p->n_in + p->n_out)
    return FAULT(454) ? BP_OK : fail(error, BP_E_INVALID, 0, "execute: %u bindings for %u inputs and %u outputs", run->bindings.count, p->n_in, p->n_out);
  char *workspace = p->workspace ? range(run->workspace, p->workspace, 1) : NULL;
  if (p->workspace && !workspace) return fail(error, BP_E_INVALID, 0, "execute: a workspace of %llu bytes is missing", (unsigned long long)p->workspace);
  for (uint32_t i = 0; i < p->n_nodes; i++) {
    bp_status status = must_stop(d, s, error);
    if (status != BP_OK) return status;
    if (!p->nodes[i].kernel) continue;
    call own;
    status = run_node(d, p, &p->nodes[i], run, workspace, d->fault == 470 ? &p->shared : &own);
    if (status == BP_OK) continue;
    if (error && d->fault != 457) error->node_plus_1 = i + 1;
    if (status == BP_E_INVALID) return fail(error, status, 0, "execute: an operand of node %u is not bound, too small or read-only", i);
    return fail(error, status, 0, "execute: no memory for node %u", i);
  }
  return BP_OK;
}
static bp_status execute(bp_device d, const bp_submission *given, bp_error *error) {
  enter(d, 0);
  if (d->lost) return fail(error, BP_E_DEVICE_LOST, 0, "execute: the device is lost");
  if (!given) return fail(error, BP_E_INVALID, 0, "execute: the submission is NULL");
  READ(bp_submission, s, given);
  if (!is_understood(given)) return fail(error, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "execute: an extension is not known here");
  if (s.waits.count || s.signals.count) return fail(error, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "execute: this device has no semaphores");
  bp_status status = must_stop(d, &s, error);
  for (uint32_t i = 0; i < s.copies.count && status == BP_OK; i++) status = run_copy(at(s.copies, i), error);
  for (uint32_t i = 0; i < s.dispatches.count && status == BP_OK; i++) {
    READ(bp_dispatch, run, at(s.dispatches, i));
    uint64_t begin = d->host->now_ns(d->host->ctx);
    status = run_dispatch(d, &s, &run, error);
    char *times = status == BP_OK && s.timestamps ? range(s.timestamps, (i + 1) * sizeof(bp_timestamp), 1) : NULL;
    bp_timestamp stamp = {{sizeof stamp, BP_ST_TIMESTAMP, NULL}, begin, d->host->now_ns(d->host->ctx)};
    if (times) memcpy(times + i * sizeof stamp, &stamp, sizeof stamp);
  }
  return status;
}

/* ---- device and plugin ---- */

#define STRING(text) {text, sizeof text - 1}

static bp_status device_info(bp_device d, bp_device_info *out, bp_error *error) {
  enter(d, 0);
  if (!out) return fail(error, BP_E_INVALID, 0, "info: the result is NULL");
  bp_device_info info = {.kind = BP_KIND_OTHER, .name = STRING("Mutant"), .vendor = STRING("Backplane"), .groups = BP_GROUP_BASE, .caps_epoch = 1};
  info.memory_types = (bp_array){&d->memory, 1, sizeof d->memory};
  write_record(out, &info, sizeof info);
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

static bp_id id_of(const char *name) { /* FNV-1a-64 */
  bp_id id = 0xcbf29ce484222325ull;
  for (; *name; name++) id = (id ^ (uint8_t)*name) * 0x100000001b3ull;
  return id;
}
/* The table of faults as JSON. */
static int write_json(bp_instance instance) {
  instance->capacity = N_FAULTS * 256ull;
  char *to = take(instance->host, instance->capacity);
  if (!to) return 0;
  uint64_t n = 0;
  for (int i = 0; i < N_FAULTS; i++)
    n += (uint64_t)snprintf(to + n, instance->capacity - n, "%s{\"id\":%d,\"op\":\"%s\",\"class\":\"%s\",\"name\":\"%s\",\"text\":\"%s\"}", i ? ",\n" : "[",
                            faults[i].id, faults[i].op, faults[i].class, faults[i].name, faults[i].text);
  n += (uint64_t)snprintf(to + n, instance->capacity - n, "]");
  instance->json = (bp_str){to, n};
  return 1;
}
static void instance_destroy(bp_instance instance) {
  give(instance->host, (void *)instance->json.ptr, instance->capacity);
  give(instance->host, instance, sizeof *instance);
}
static bp_status instance_create(const bp_host *host, bp_instance *out, bp_error *error) {
  mutant_active = 0;
  bp_str key = STRING("mutant.fault"), value = {0};
  int wanted = 0;
  if (host->config_get(host->ctx, key, &value) == BP_OK)
    for (uint64_t i = 0; i < value.len; i++) {
      int digit = value.ptr[i] - '0';
      wanted = digit < 0 || digit > 9 || wanted < 0 || wanted > 100000 ? -1 : wanted * 10 + digit;
    }
  const fault_entry *fault = NULL;
  for (int i = 0; i < N_FAULTS; i++)
    if (faults[i].id == wanted) fault = &faults[i];
  if (wanted != 0 && !fault) return fail(error, BP_E_INVALID, 0, "mutant.fault '%.*s' is no fault of the mutant", (int)value.len, value.ptr);
  bp_instance instance = take(host, sizeof *instance);
  if (!instance) return fail(error, BP_E_OOM_HOST, 0, "no memory for the instance");
  instance->host = host;
  instance->fault = wanted;
  instance->fault_op = fault && strcmp(fault->op, "device") ? id_of(fault->op) : 0;
  if (!write_json(instance)) {
    give(host, instance, sizeof *instance);
    return fail(error, BP_E_OOM_HOST, 0, "no memory for the table of faults");
  }
  *out = instance;
  return BP_OK;
}
static bp_status device_count(bp_instance instance, uint32_t *out, bp_error *error) {
  (void)instance, (void)error;
  *out = 1;
  return BP_OK;
}
/* What a variant says of its accuracy. */
static void declare(bp_device d) {
  bp_attr *a = &d->declared;
  a->h = (bp_head){sizeof *a, BP_ST_ATTR, NULL};
  const char *text = d->fault == 1042 ? "bf16" : "f16";
  switch (d->fault) {
  case 1040: case 1041: a->name = id_of("act_block"), a->kind = BP_ATTR_I64, a->i = d->fault == 1040 ? 32 : 256; return;
  case 1042: case 1044: a->name = id_of("operand_round"); break;
  case 1059: a->name = id_of("p_round"); break;
  default: return;
  }
  a->kind = BP_ATTR_STR, a->data = text, a->count = (uint32_t)strlen(text);
}
static bp_status device_open(bp_instance instance, uint32_t index, bp_device *out, const bp_device_fns **functions, bp_error *error) {
  if (index != 0) return fail(error, BP_E_INVALID, 0, "there is no device %u", index);
  bp_device d = take(instance->host, sizeof *d);
  if (!d) return fail(error, BP_E_OOM_HOST, 0, "no memory for the device");
  d->host = instance->host, d->fault = instance->fault, d->fault_op = instance->fault_op;
  declare(d);
  d->memory.h = (bp_head){sizeof d->memory, BP_ST_MEMORY_TYPE, NULL};
  d->memory.flags = BP_MEMORY_HOST_VISIBLE | BP_MEMORY_COHERENT | BP_MEMORY_CACHED | BP_MEMORY_UNIFIED | BP_MEMORY_IMPORT_HOST | BP_MEMORY_READONLY_OK;
  d->memory.align = ALIGN;
  *out = d;
  *functions = &device_functions;
  return BP_OK;
}
static void device_close(bp_device d) { give(d->host, d, sizeof *d); }

/* From here on the device is lost; a new instance is not. */
static void lose_device(bp_device d) {
  bp_error lost = {.h = {sizeof lost, BP_ST_ERROR, NULL}, .device_state = BP_HEALTH_LOST_RECOVERABLE, .retry = BP_RETRY_AFTER_RESET};
  fail(&lost, BP_E_DEVICE_LOST, 0, "the device was lost on demand");
  if (!d->lost++) d->host->report_fault(d->host->ctx, d, &lost);
}
static int same(bp_str a, bp_str b) { return a.len == b.len && !memcmp(a.ptr, b.ptr, a.len); }
/* "mutant.faults", 1: a bp_str with the table of faults as JSON; lives as long as the instance. "backplane.lose_device", 1: a function. */
static const void *extension(bp_instance instance, bp_str name, uint32_t version) {
  if (!instance || version != 1) return NULL;
  if (same(name, (bp_str)STRING("backplane.lose_device"))) return (const void *)lose_device;
  return same(name, (bp_str)STRING("mutant.faults")) ? &instance->json : NULL;
}

const bp_plugin *bp_plugin_query(uint32_t host_min, uint32_t host_max) {
  static const bp_plugin plugin = {
      .h = {sizeof(bp_plugin), BP_ST_PLUGIN, NULL},
      .abi_min = BP_ABI_1_0,
      .abi_max = BP_ABI_THIS,
      .name = STRING("Mutant"),
      .vendor = STRING("Backplane"),
      .version = STRING("1.0"),
      .abi_layout_hash = BP_ABI_LAYOUT_HASH_1_0,
      .instance_create = instance_create,
      .instance_destroy = instance_destroy,
      .device_count = device_count,
      .device_open = device_open,
      .device_close = device_close,
      .extension = extension,
  };
  return host_max < BP_ABI_1_0 || host_min > BP_ABI_THIS ? NULL : &plugin;
}
