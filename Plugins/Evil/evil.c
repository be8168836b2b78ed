/* A plugin that misbehaves in one chosen way: evil_deeds.def. Otherwise it is a decent device for add, mul and relu of dense f32. */
#define BP_EMIT_NOTE
#define _GNU_SOURCE
#include "backplane_operators.h"
#include "backplane_plugin.h"

#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

enum deed {
  NONE,
#define DEED(name, seen, text) name,
#include "evil_deeds.def"
#undef DEED
};
static const char *const names[] = {
    "",
#define DEED(name, seen, text) #name,
#include "evil_deeds.def"
#undef DEED
};
#ifndef EVIL_DEED
#define EVIL_DEED NONE
#endif

enum { TAG = 0x6576696c, ALIGN = 64 };

struct bp_instance_s {
  const bp_host *host;
  enum deed deed;
};
struct bp_device_s {
  const bp_host *host;
  enum deed deed;
  int calls, executions;
  bp_memory_type memory;
  float *last_output;
};
struct bp_buffer_s {
  char *data;
  uint64_t bytes;
  int imported, writable;
};
typedef struct step {
  bp_id op;
  int32_t a, b, y; /* bindings; below 0: -1 - offset in the workspace, in tensors */
} step;
struct bp_program_s {
  bp_device device;
  uint32_t n_steps, n_bound;
  uint64_t count; /* elements of every tensor */
  uint64_t bytes, workspace;
  const bp_graph *kept;
  step steps[];
};

static void crash(void) { raise(SIGSEGV); }
static void hang(void) { for (;;) sleep(3600); }
static bp_status fail(bp_error *e, bp_status code, uint32_t reason, const char *text) {
  if (!e) return code;
  e->code = code, e->reason = reason;
  snprintf(e->message, sizeof e->message, "%s", text);
  return code;
}
static void *take(const bp_host *h, uint64_t bytes) {
  void *p = h->alloc(h->ctx, bytes ? bytes : 1, ALIGN, TAG);
  if (p) memset(p, 0, bytes);
  return p;
}
static void give(const bp_host *h, void *p, uint64_t bytes) {
  if (p) h->free(h->ctx, p, bytes ? bytes : 1, ALIGN, TAG);
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
  if (room < size) size = room;
  if (size > sizeof(bp_head)) memcpy((char *)to + sizeof(bp_head), (const char *)from + sizeof(bp_head), size - sizeof(bp_head));
}
/* 1 when the chain holds nothing that must be understood. */
static int is_understood(const void *record) {
  for (const bp_head *h = ((const bp_head *)record)->next; h; h = h->next)
    if (h->struct_type >> 31) return 0;
  return 1;
}
static const void *at(bp_array a, uint32_t i) { return (const char *)a.ptr + (uint64_t)i * a.stride; }

/* ---- query ---- */

static uint64_t elements(const bp_tensor *t) {
  uint64_t n = 1;
  for (uint32_t i = 0; i < t->rank; i++) n *= (uint64_t)t->dim[i];
  return n;
}
static uint32_t reason_against(const bp_graph *g, const bp_node *n) {
  if (n->op_version > 1) return BP_REASON_OP_VERSION;
  uint32_t inputs = n->op == BP_OP_RELU ? 1 : 2;
  if (n->op != BP_OP_ADD && n->op != BP_OP_MUL && n->op != BP_OP_RELU) return BP_REASON_OP_UNKNOWN;
  const bp_tensor *y = at(g->tensors, n->out[0]);
  for (uint32_t i = 0; i <= inputs; i++) {
    const bp_tensor *t = i < inputs ? at(g->tensors, n->in[i]) : y;
    if (t->dtype != BP_FORMAT_F32) return BP_REASON_DTYPE;
    if (t->layout != BP_LAYOUT_STRIDED) return BP_REASON_LAYOUT;
    int64_t dense = 4;
    for (uint32_t d = t->rank; d-- > 0;) {
      if (t->symbol[d]) return BP_REASON_DYNAMIC_DIM;
      if (t->stride[d] != dense && t->dim[d] > 1) return BP_REASON_LAYOUT;
      dense *= t->dim[d];
    }
    if (elements(t) != elements(y)) return BP_REASON_SHAPE;
  }
  return BP_REASON_NONE;
}
static bp_status device_query(bp_device d, const bp_graph *g, bp_verdict *out, uint32_t stride, uint32_t n, bp_error *e) {
  if (d->deed == crash_in_query) crash();
  if (d->deed == hang_in_query) hang();
  if (!g || (n && !out)) return fail(e, BP_E_INVALID, 0, "query: no graph, or no room");
  if (!is_understood(g)) return fail(e, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "query: an extension is not known");
  d->calls++;
  bp_id before = 0;
  for (uint32_t i = 0; i < n; i++) {
    const bp_node *node = at(g->nodes, i);
    bp_verdict v = {.node_index = i, .reason = reason_against(g, node)};
    if (d->deed == no_then_works) v.reason = BP_REASON_DISABLED;
    if (d->deed == verdict_of_neighbour && before == node->op) v.reason = BP_REASON_GRAPH_LIMIT;
    if (d->deed == verdict_of_last_call && d->calls % 2 == 0) v.reason = BP_REASON_MEMORY;
    v.support = v.reason ? BP_SUPPORT_NO : BP_SUPPORT_YES;
    if (d->deed == no_without_reason) v.reason = BP_REASON_NONE;
    before = node->op;
    write_record((char *)out + (uint64_t)i * stride, &v, sizeof v);
  }
  return BP_OK;
}

/* ---- buffers and programs ---- */

static bp_status buffer_create(bp_device d, const bp_buffer_desc *given, bp_buffer *out, bp_buffer_info *info, bp_error *e) {
  if (!given || !out) return fail(e, BP_E_INVALID, 0, "buffer_create: no description, or no place for the buffer");
  READ(bp_buffer_desc, desc, given);
  if (!is_understood(given)) return fail(e, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "buffer_create: an extension is not known");
  if (desc.memory_type) return fail(e, BP_E_INVALID, 0, "there is one memory type");
  if (desc.source > BP_SOURCE_HOST_POINTER) return fail(e, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "no such source");
  bp_buffer b = take(d->host, sizeof *b);
  if (!b) return fail(e, BP_E_OOM_HOST, 0, "no memory for a handle");
  b->bytes = desc.bytes, b->imported = desc.source == BP_SOURCE_HOST_POINTER, b->writable = !b->imported || desc.access & BP_ACCESS_WRITE;
  b->data = b->imported ? desc.host_ptr : take(d->host, desc.bytes);
  if (!b->data && desc.bytes) return give(d->host, b, sizeof *b), fail(e, BP_E_OOM_HOST, 0, "no memory for a buffer");
  bp_buffer_info made = {.bytes = desc.bytes, .actual_bytes = desc.bytes};
  if (info) write_record(info, &made, sizeof made);
  *out = b;
  return BP_OK;
}
static void buffer_destroy(bp_device d, bp_buffer b) {
  if (d->deed == leaks_buffers) return;
  if (!b->imported) give(d->host, b->data, b->bytes + (d->deed == wrong_free ? 64 : 0));
  give(d->host, b, sizeof *b);
}
static bp_status buffer_map(bp_device d, bp_buffer b, uint64_t off, uint64_t len, uint32_t access, void **out, bp_error *e) {
  (void)d;
  if (access & BP_ACCESS_WRITE && !b->writable) return fail(e, BP_E_INVALID, 0, "the buffer was imported read-only");
  if (off > b->bytes || len > b->bytes - off) return fail(e, BP_E_INVALID, 0, "range beyond the buffer");
  *out = b->data + off;
  return BP_OK;
}
static bp_status buffer_unmap(bp_device d, bp_buffer b, bp_error *e) {
  (void)d, (void)b, (void)e;
  return BP_OK;
}

/* The binding of a tensor, or its place in the workspace. */
static int32_t place_of(const bp_graph *g, uint32_t tensor) {
  for (uint32_t i = 0; i < g->n_inputs; i++) if (g->inputs[i] == tensor) return (int32_t)i;
  for (uint32_t i = 0; i < g->n_outputs; i++) if (g->outputs[i] == tensor) return (int32_t)(g->n_inputs + i);
  return -1 - (int32_t)tensor;
}
static bp_status program_create(bp_device d, const bp_compile *given, bp_program *out, bp_error *e) {
  if (!given || !out) return fail(e, BP_E_INVALID, 0, "program_create: no description, or no place for the program");
  READ(bp_compile, c, given);
  const bp_graph *g = c.graph;
  if (!is_understood(given) || !is_understood(g)) return fail(e, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "program_create: an extension is not known");
  if (d->deed == crash_in_compile) crash();
  if (d->deed == abort_in_compile) abort();
  if (d->deed == yes_then_refuses) return fail(e, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "not today");
  uint64_t bytes = sizeof(struct bp_program_s) + g->nodes.count * sizeof(step);
  bp_program p = take(d->host, bytes);
  if (!p) return fail(e, BP_E_OOM_HOST, 0, "no memory for a program");
  p->device = d, p->bytes = bytes, p->n_steps = g->nodes.count, p->n_bound = g->n_inputs + g->n_outputs, p->kept = g;
  for (uint32_t i = 0; i < p->n_steps; i++) {
    const bp_node *n = at(g->nodes, i);
    uint32_t reason = reason_against(g, n);
    uint64_t count = reason ? 0 : elements(at(g->tensors, n->out[0]));
    if (!reason && i && count != p->count) reason = BP_REASON_GRAPH_LIMIT;
    if (reason) {
      give(d->host, p, bytes);
      if (e) e->node_plus_1 = i + 1;
      return fail(e, BP_E_UNSUPPORTED, reason, "a node has no kernel here");
    }
    p->count = count;
    p->steps[i] = (step){n->op, place_of(g, n->in[0]), place_of(g, n->in[n->op == BP_OP_RELU ? 0 : 1]), place_of(g, n->out[0])};
  }
  p->workspace = p->n_steps > 1 ? g->tensors.count * p->count * 4 : 0;
  *out = p;
  return BP_OK;
}
static bp_status program_info(bp_program p, bp_program_info *out, bp_error *e) {
  (void)e;
  bp_program_info info = {.workspace_bytes = p->workspace, .workspace_align = ALIGN, .n_kernels = p->n_steps};
  write_record(out, &info, sizeof info);
  return BP_OK;
}
static void program_destroy(bp_program p) {
  if (p->device->deed != leaks_programs) give(p->device->host, p, p->bytes);
}

/* ---- running ---- */

/* Where a binding of at least `needed` bytes lies; NULL when it is none. */
static char *range(const bp_binding *given, uint64_t needed, int written) {
  if (!given) return NULL;
  READ(bp_binding, b, given);
  if (!b.buffer || b.offset > b.buffer->bytes || b.bytes > b.buffer->bytes - b.offset || b.bytes < needed) return NULL;
  return written && !b.buffer->writable ? NULL : b.buffer->data + b.offset;
}
static int is_bound(bp_program p, const bp_dispatch *run, uint32_t i) {
  int written = 0;
  for (uint32_t k = 0; k < p->n_steps; k++) written |= p->steps[k].y == (int32_t)i;
  return !p->count || range(at(run->bindings, i), p->count * 4, written);
}
static float *memory_of(bp_program p, const bp_dispatch *run, int32_t place) {
  const bp_binding *b = place >= 0 ? at(run->bindings, (uint32_t)place) : run->workspace;
  return (float *)(b->buffer->data + b->offset) + (place >= 0 ? 0 : (uint64_t)(-1 - place) * p->count);
}
static void *wait_forever(void *nothing) {
  (void)nothing;
  hang();
  return NULL;
}
static void *call_late(void *context) {
  const bp_host *host = context;
  for (;;) usleep(20000), host->now_ns(host->ctx);
  return NULL;
}
static void handler(int number) { (void)number; }

/* What is done to the process when something is run. */
static void harm_process(bp_device d) {
  static const bp_error nothing = {.h = {sizeof nothing, BP_ST_ERROR, NULL}, .code = BP_E_DRIVER, .device_state = BP_HEALTH_DEGRADED};
  pthread_t thread;
  switch (d->deed) {
  case crash_in_execute: crash(); break;
  case abort_in_execute: abort();
  case exit_in_execute: exit(0);
  case hang_in_execute: sleep(3600); break;
  case slow: sleep(1); break;
  case writes_stdout_in_execute: printf("executing …\n"), fflush(stdout); break;
  case leaks_host_memory: (void)take(d->host, 64); break;
  case uses_malloc: { char *p = malloc(1 << 20); if (p) memset(p, 1, 1 << 20); break; }
  case sets_rounding: fesetround(FE_TOWARDZERO); break;
#if defined(__x86_64__)
  case sets_ftz: _mm_setcsr(_mm_getcsr() | 0x8040); break;
#endif
  case starts_thread: if (d->executions == 1 && !pthread_create(&thread, NULL, wait_forever, NULL)) pthread_detach(thread); break;
  case late_callback: if (d->executions == 1 && !pthread_create(&thread, NULL, call_late, (void *)d->host)) pthread_detach(thread); break;
  case changes_folder: if (chdir("/")) {} break;
  case changes_environment: setenv("EVIL", "1", 1); break;
  case changes_locale: setlocale(LC_ALL, "C.UTF-8"); break;
  case changes_signal_handler: signal(SIGSEGV, handler); break;
  case reports_fault_twice: d->host->report_fault(d->host->ctx, d, &nothing), d->host->report_fault(d->host->ctx, d, &nothing); break;
  default: break;
  }
}
static void harm_data(bp_device d, bp_program p, float *a, float *y) {
  uint64_t n = p->count;
  if (d->deed == wrong_result) y[n - 1] += 1;
  if (d->deed == writes_after_output) y[n] = 0;
  if (d->deed == writes_before_output) y[-1] = 0;
  if (d->deed == reads_behind_input) { volatile float x = a[n]; (void)x; }
  if (d->deed == writes_into_input) a[0] += 1;
  if (d->deed == writes_first_binding_late) { if (d->last_output) d->last_output[0] = 0; d->last_output = y; }
  if (d->deed == nondeterministic) { uint32_t bits; memcpy(&bits, y, 4); bits ^= (uint32_t)d->executions >> 1 & 1; memcpy(y, &bits, 4); }
}
static bp_status run_copy(const bp_copy *c, bp_error *e) {
  char *from = range(c->src, 0, 0), *to = range(c->dst, 0, 1);
  uint64_t rows = c->rows ? c->rows : 1, length = c->src->bytes;
  if (!from || !to || (rows - 1) * c->src_pitch + length > c->src->buffer->bytes - c->src->offset ||
      (rows - 1) * c->dst_pitch + length > c->dst->buffer->bytes - c->dst->offset)
    return fail(e, BP_E_INVALID, 0, "a copy leaves its buffer");
  for (uint64_t r = 0; r < rows; r++) memmove(to + r * c->dst_pitch, from + r * c->src_pitch, length);
  return BP_OK;
}
static bp_status run_dispatch(bp_device d, const bp_dispatch *run, bp_error *e) {
  bp_program p = run->program;
  if (!p || run->entry) return fail(e, BP_E_INVALID, 0, "a dispatch without a program or of another entry");
  if (run->bindings.count != p->n_bound) return fail(e, BP_E_INVALID, 0, "another number of bindings is needed");
  for (uint32_t i = 0; i < p->n_bound; i++)
    if (!is_bound(p, run, i)) return fail(e, BP_E_INVALID, 0, "a binding is missing, too short or read-only");
  if (p->workspace && !range(run->workspace, p->workspace, 1)) return fail(e, BP_E_INVALID, 0, "the workspace is missing or too short");
  if (d->deed == keeps_graph && p->kept->nodes.count != p->n_steps) return fail(e, BP_E_INTERNAL, 0, "the graph has changed");
  for (uint32_t k = 0; k < p->n_steps && d->deed != ok_without_work; k++) {
    const step *t = &p->steps[k];
    float *a = memory_of(p, run, t->a), *b = memory_of(p, run, t->b), *y = memory_of(p, run, t->y);
    for (uint64_t j = 0; j < p->count; j++)
      y[j] = t->op == BP_OP_ADD ? a[j] + b[j] : t->op == BP_OP_MUL ? a[j] * b[j] : a[j] > 0 || a[j] != a[j] ? a[j] : 0;
    if (p->count) harm_data(d, p, a, y);
  }
  return BP_OK;
}
static bp_status execute(bp_device d, const bp_submission *given, bp_error *e) {
  if (!given) return fail(e, BP_E_INVALID, 0, "no submission");
  READ(bp_submission, s, given);
  if (!is_understood(given)) return fail(e, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "execute: an extension is not known");
  d->executions++;
  if (s.cancel && d->deed != cancel_ignored && d->host->cancelled(d->host->ctx, s.cancel)) return fail(e, BP_E_CANCELLED, 0, "cancelled");
  if (s.deadline_ns && d->host->now_ns(d->host->ctx) > s.deadline_ns) return fail(e, BP_E_TIMEOUT, 0, "past the deadline");
  if (d->deed == fails_in_execute) return fail(e, BP_E_DRIVER, 0, "the driver has a headache");
  if (d->deed == error_without_record) return BP_E_DRIVER;
  if (d->deed == lost_midway && d->executions >= 3) return fail(e, BP_E_DEVICE_LOST, 0, "the device is gone");
  harm_process(d);
  bp_status status = BP_OK;
  for (uint32_t i = 0; i < s.copies.count && status == BP_OK; i++) status = run_copy(at(s.copies, i), e);
  for (uint32_t i = 0; i < s.dispatches.count && status == BP_OK; i++) {
    READ(bp_dispatch, run, at(s.dispatches, i));
    status = run_dispatch(d, &run, e);
  }
  return status;
}

/* ---- device and plugin ---- */

#define STRING(text) {text, sizeof text - 1}

static bp_status device_info(bp_device d, bp_device_info *out, bp_error *e) {
  static const bp_head extension = {sizeof(bp_head), 0x80007fffu, NULL};
  (void)e;
  bp_device_info info = {.name = STRING("Evil"), .vendor = STRING("Backplane"), .groups = BP_GROUP_BASE};
  info.memory_types = (bp_array){&d->memory, 1, sizeof d->memory};
  info.caps_epoch = d->deed == epoch_changes ? (uint64_t)++d->calls : 1;
  write_record(out, &info, sizeof info);
  if (d->deed == must_understand) out->h.next = &extension;
  return BP_OK;
}
static const bp_device_fns functions = {
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

static bp_status instance_create(const bp_host *host, bp_instance *out, bp_error *e) {
  bp_str key = STRING("evil.deed"), value = {0};
  enum deed deed = EVIL_DEED;
  if (host->config_get(host->ctx, key, &value) == BP_OK) {
    deed = NONE;
    for (size_t i = 1; i < sizeof names / sizeof *names; i++)
      if (strlen(names[i]) == value.len && !memcmp(names[i], value.ptr, value.len)) deed = (enum deed)i;
    if (deed == NONE && value.len) return fail(e, BP_E_INVALID, 0, "evil.deed names no deed");
  }
  if (deed == crash_in_instance_create) crash();
  if (deed == exit_in_instance_create) exit(0);
  if (deed == writes_stdout) printf("Evil is ready.\n"), fflush(stdout);
  bp_instance instance = take(host, sizeof *instance);
  if (!instance) return fail(e, BP_E_OOM_HOST, 0, "no memory for the instance");
  instance->host = host, instance->deed = deed;
  *out = instance;
  return BP_OK;
}
static void instance_destroy(bp_instance instance) { give(instance->host, instance, sizeof *instance); }
static bp_status device_count(bp_instance instance, uint32_t *out, bp_error *e) {
  (void)instance, (void)e;
  *out = 1;
  return BP_OK;
}
static bp_status device_open(bp_instance instance, uint32_t index, bp_device *out, const bp_device_fns **table, bp_error *e) {
  static const bp_device_fns hollow = {.h = {offsetof(bp_device_fns, execute), BP_ST_DEVICE_FNS, NULL}, .info = device_info, .query = device_query,
    .buffer_create = buffer_create, .buffer_destroy = buffer_destroy, .buffer_map = buffer_map, .buffer_unmap = buffer_unmap,
    .program_create = program_create, .program_info = program_info, .program_destroy = program_destroy};
  if (index) return fail(e, BP_E_INVALID, 0, "there is one device");
  bp_device d = take(instance->host, sizeof *d);
  if (!d) return fail(e, BP_E_OOM_HOST, 0, "no memory for the device");
  d->host = instance->host, d->deed = instance->deed;
  d->memory.h = (bp_head){sizeof d->memory, BP_ST_MEMORY_TYPE, NULL};
  d->memory.flags = BP_MEMORY_HOST_VISIBLE | BP_MEMORY_COHERENT | BP_MEMORY_CACHED | BP_MEMORY_UNIFIED | BP_MEMORY_IMPORT_HOST | BP_MEMORY_READONLY_OK;
  d->memory.align = ALIGN;
  *out = d;
  *table = d->deed == hollow_device_table ? &hollow : &functions;
  return BP_OK;
}
static void device_close(bp_device d) { give(d->host, d, sizeof *d); }

const bp_plugin *bp_plugin_query(uint32_t host_min, uint32_t host_max) {
  enum deed deed = EVIL_DEED;
  static bp_plugin plugin = {
      .h = {sizeof(bp_plugin), BP_ST_PLUGIN, NULL},
      .abi_min = BP_ABI_1_0,
      .abi_max = BP_ABI_THIS,
      .name = STRING("Evil"),
      .vendor = STRING("Backplane"),
      .version = STRING("1.0"),
      .abi_layout_hash = BP_ABI_LAYOUT_HASH_1_0,
      .instance_create = instance_create,
      .instance_destroy = instance_destroy,
      .device_count = device_count,
      .device_open = device_open,
      .device_close = device_close,
  };
  if (deed == short_plugin_table) plugin.h.struct_size = 8;
  if (deed == no_common_version) plugin.abi_min = plugin.abi_max = 9u << 16;
  if (deed == other_layout) plugin.abi_layout_hash = 1;
  return host_max < BP_ABI_1_0 || host_min > BP_ABI_THIS ? NULL : &plugin;
}
