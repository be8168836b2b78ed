// The inner loop of the CPU plugin: C, so that what it costs can be read off (Swift's reference counts would show at this scale).
#include "run_steps.h"
#include <string.h>

uint64_t bp_cpu_span(const bp_cpu_view *v) {
  uint64_t span = v->block_bytes;
  for (uint32_t i = 0; i < v->rank; i++) {
    int64_t units = i + 1 == v->rank ? v->extent[i] / v->block_elements : v->extent[i];
    if (units == 0) return 0;
    span += (uint64_t)(units - 1) * (uint64_t)v->stride[i];
  }
  return span;
}

void bp_cpu_shape(bp_cpu_view *v, const bp_cpu_tensor *t, const int64_t *values) {
  *v = t->view;
  if (!t->symbolic) return;
  int64_t dense = v->block_bytes;
  for (uint32_t i = v->rank; i-- > 0;) {
    if (t->symbol[i]) v->extent[i] = values[t->symbol[i] - 1];
    if (t->computed_strides >> i & 1) v->stride[i] = dense;
    int64_t units = i + 1 == v->rank ? v->extent[i] / v->block_elements : v->extent[i];
    dense = v->stride[i] * (units > 1 ? units : 1);
  }
}

static const bp_binding *binding_at(const bp_array *a, uint32_t i) {
  return (const bp_binding *)((const char *)a->ptr + (uint64_t)i * a->stride);
}
char *bp_cpu_address(const bp_binding *b) { return ((const bp_cpu_buffer *)b->buffer)->data + b->offset; }

// ---- checks -----------------------------------------------------------------------------------------------------------------

static bp_status invalid(bp_cpu_fault *f, uint32_t kind, uint32_t index, uint64_t limit, uint64_t actual) {
  *f = (bp_cpu_fault){.kind = kind, .index = index, .limit = (int64_t)limit, .actual = (int64_t)actual};
  return BP_E_INVALID;
}

static bp_status check_symbols(bp_cpu_execution *e, bp_cpu_fault *f) {
  const bp_array *given = &e->dispatch->symbols;
  for (uint32_t i = 0; i < e->program->n_symbols; i++) {
    const bp_cpu_symbol *s = &e->program->symbols[i];
    const bp_symbol_value *found = 0;
    for (uint32_t k = 0; k < given->count && given->ptr && !found; k++) {
      const bp_symbol_value *v = (const bp_symbol_value *)((const char *)given->ptr + (uint64_t)k * given->stride);
      if (v->symbol == s->number) found = v;
    }
    if (!found) return invalid(f, BP_CPU_FAULT_SYMBOL_MISSING, s->number, 0, 0);
    if (found->value < s->minimum) return invalid(f, BP_CPU_FAULT_SYMBOL_BOUNDS, s->number, (uint64_t)s->minimum, (uint64_t)found->value);
    if (found->value > s->maximum) return invalid(f, BP_CPU_FAULT_SYMBOL_BOUNDS, s->number, (uint64_t)s->maximum, (uint64_t)found->value);
    e->symbols[i] = found->value;
  }
  return BP_OK;
}

static bp_status check_binding(const bp_cpu_execution *e, uint32_t i, bp_cpu_fault *f) {
  const bp_cpu_bound *wanted = &e->program->bounds[i];
  const bp_cpu_tensor *t = &e->program->tensors[wanted->tensor];
  const bp_binding *b = binding_at(&e->dispatch->bindings, i);
  const bp_cpu_buffer *buffer = (const bp_cpu_buffer *)b->buffer;
  bp_cpu_view shaped;
  const bp_cpu_view *v = &t->view;
  if (t->symbolic) bp_cpu_shape(&shaped, t, e->symbols), v = &shaped;
  uint64_t needed = bp_cpu_span(v);
  if (!buffer) return invalid(f, BP_CPU_FAULT_NO_BUFFER, i, 0, 0);
  if (b->offset > buffer->bytes || b->bytes > buffer->bytes - b->offset)
    return invalid(f, BP_CPU_FAULT_RANGE, i, buffer->bytes, b->offset + b->bytes);
  if (b->bytes < needed) return invalid(f, BP_CPU_FAULT_TOO_SMALL, i, needed, b->bytes);
  uint64_t odd = (uint64_t)(buffer->data + b->offset) & (t->align - 1);
  if (odd && needed) return invalid(f, BP_CPU_FAULT_ALIGN, i, t->align, odd);
  if (wanted->is_written && !buffer->writable) return invalid(f, BP_CPU_FAULT_READ_ONLY, i, 0, 0);
  if (wanted->same_as != BP_NO_TENSOR) {
    const bp_binding *first = binding_at(&e->dispatch->bindings, wanted->same_as);
    if (bp_cpu_address(first) != bp_cpu_address(b)) return invalid(f, BP_CPU_FAULT_STATE_RANGE, i, wanted->same_as, 0);
  }
  return BP_OK;
}

static bp_status check_workspace(bp_cpu_execution *e, bp_cpu_fault *f) {
  const bp_cpu_program *p = e->program;
  const bp_binding *b = e->dispatch->workspace;
  e->workspace = 0;
  if (p->workspace_bytes == 0) return BP_OK;
  if (!b || !b->buffer) return invalid(f, BP_CPU_FAULT_WORKSPACE, 0, p->workspace_bytes, 0);
  const bp_cpu_buffer *buffer = (const bp_cpu_buffer *)b->buffer;
  uint64_t room = b->offset > buffer->bytes ? 0 : buffer->bytes - b->offset;
  if (room > b->bytes) room = b->bytes;
  if (room < p->workspace_bytes || !buffer->writable) return invalid(f, BP_CPU_FAULT_WORKSPACE, 0, p->workspace_bytes, room);
  e->workspace = bp_cpu_address(b);
  uint64_t odd = (uint64_t)e->workspace & (p->workspace_align - 1);
  return odd ? invalid(f, BP_CPU_FAULT_WORKSPACE_ALIGN, 0, p->workspace_align, odd) : BP_OK;
}

bp_status bp_cpu_check_dispatch(bp_cpu_execution *e, bp_cpu_fault *f) {
  const bp_cpu_program *p = e->program;
  const bp_array *given = &e->dispatch->bindings;
  *f = (bp_cpu_fault){0};
  if (given->count != p->n_bounds || (given->count && !given->ptr))
    return invalid(f, BP_CPU_FAULT_BINDING_COUNT, 0, p->n_bounds, given->ptr ? given->count : 0);
  if (given->count && given->stride < sizeof(bp_binding))
    return invalid(f, BP_CPU_FAULT_BINDING_STRIDE, 0, sizeof(bp_binding), given->stride);
  if (e->dispatch->symbols.count && e->dispatch->symbols.stride < sizeof(bp_symbol_value))
    return invalid(f, BP_CPU_FAULT_BINDING_STRIDE, 1, sizeof(bp_symbol_value), e->dispatch->symbols.stride);
  bp_status status = check_symbols(e, f);
  for (uint32_t i = 0; i < p->n_bounds && status == BP_OK; i++) status = check_binding(e, i, f);
  return status == BP_OK ? check_workspace(e, f) : status;
}

// ---- execution --------------------------------------------------------------------------------------------------------------

static void resolve(const bp_cpu_execution *e, uint32_t tensor, bp_cpu_view *v) {
  if (tensor == BP_NO_TENSOR) { v->dtype = 0, v->rank = 0, v->data = 0; return; }
  const bp_cpu_tensor *t = &e->program->tensors[tensor];
  bp_cpu_shape(v, t, e->symbols);
  v->data = t->place == BP_CPU_IN_WORKSPACE ? e->workspace + t->offset : bp_cpu_address(binding_at(&e->dispatch->bindings, t->place));
}

typedef struct piece { const bp_cpu_call *call; void (*run)(const bp_cpu_call *, uint32_t, uint64_t, uint64_t, uint32_t); uint32_t phase; } piece;

static void run_piece(void *context, uint64_t begin, uint64_t end, uint32_t worker) {
  const piece *p = context;
  p->run(p->call, p->phase, begin, end, worker);
}

static bp_status run_phases(const bp_cpu_execution *e, const bp_cpu_step *step, const bp_cpu_call *call, const bp_cpu_plan *plan) {
  const bp_cpu_kernel *k = step->kernel;
  for (uint32_t phase = 0; phase < plan->phases; phase++) {
    uint64_t items = plan->items[phase], grain = plan->grain[phase];
    if (items == 0) continue;
    if (step->chunk && step->chunk != 100 && grain < items) grain = (grain ? grain : 1) * step->chunk / 100;
    if (step->threads && grain * step->threads < items && step->threads < e->workers) grain = (items + step->threads - 1) / step->threads;
    if (e->workers == 1 || grain >= items) { k->run(call, phase, 0, items, 0); continue; }
    piece p = {call, k->run, phase};
    bp_status status = e->host->parallel_for(e->host->ctx, items, grain ? grain : 1, run_piece, &p, 0);
    if (status != BP_OK) return status;
  }
  return BP_OK;
}

static bp_status must_stop(const bp_cpu_execution *e) {
  if (e->cancel && e->host->cancelled(e->host->ctx, e->cancel)) return BP_E_CANCELLED;
  return e->deadline_ns && e->host->now_ns(e->host->ctx) >= e->deadline_ns ? BP_E_TIMEOUT : BP_OK;
}

static int holds(const bp_cpu_execution *e, const bp_cpu_step *step) {
  if (!step->symbol) return 1;
  int64_t value = e->symbols[step->symbol - 1];
  return step->lo <= value && value <= step->hi;
}

bp_status bp_cpu_run_steps(const bp_cpu_execution *e, bp_cpu_fault *f) {
  *f = (bp_cpu_fault){0};
  bp_cpu_call call;
  call.workers = e->workers;
  call.reserved0 = 0;
  for (uint32_t i = 0; i < BP_CPU_MAX_IN; i++) call.in[i].dtype = 0;
  for (uint32_t i = 0; i < BP_CPU_MAX_OUT; i++) call.out[i].dtype = 0;
  uint32_t n_in = 0, n_out = 0; // operands that the last step left behind
  uint32_t done = BP_NO_TENSOR; // the node that ran last
  for (uint32_t s = 0; s < e->program->n_steps; s++) {
    const bp_cpu_step *step = &e->program->steps[s];
    if (step->node == done || !holds(e, step)) continue;
    done = step->node;
    f->node_plus_1 = step->node + 1;
    bp_status status = must_stop(e);
    if (status != BP_OK) return status;
    for (uint32_t i = 0; i < step->n_in; i++) resolve(e, step->in[i], &call.in[i]);
    for (uint32_t i = 0; i < step->n_out; i++) resolve(e, step->out[i], &call.out[i]);
    for (uint32_t i = step->n_in; i < n_in; i++) call.in[i].dtype = 0;
    for (uint32_t i = step->n_out; i < n_out; i++) call.out[i].dtype = 0;
    call.n_in = n_in = step->n_in, call.n_out = n_out = step->n_out;
    call.attrs = step->attrs, call.n_attrs = step->n_attrs, call.numerics = step->numerics;
    call.scratch = step->scratch_bytes ? e->workspace + step->scratch_offset : 0;
    for (uint32_t i = 0; i < BP_CPU_MAX_PARAMETERS; i++) call.chosen[i] = step->chosen[i];
    bp_cpu_plan plan;
    step->kernel->plan(&call, &plan);
    if (plan.scratch_bytes > step->scratch_bytes || plan.phases > BP_CPU_MAX_PHASES) {
      f->kind = BP_CPU_FAULT_SCRATCH, f->limit = (int64_t)step->scratch_bytes, f->actual = (int64_t)plan.scratch_bytes;
      return BP_E_INTERNAL;
    }
    status = run_phases(e, step, &call, &plan);
    if (status != BP_OK) return status;
  }
  return BP_OK;
}
