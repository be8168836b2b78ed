// Runs kernels of the CPU plugin on the machine that this is compiled for: calls come from standard input, results go to standard
// output. Tests compile it for another architecture and start it in an emulator. Little-endian, as both machines are.
//
//   call    u64 op, u32 isa, u32 workers, u32 n_in, u32 n_out, u32 n_attrs, u32 0; then n_in + n_out operands, then the attributes
//   operand u64 dtype (0: absent, and nothing follows), u32 rank, block_elements, block_bytes, is_const, i64 extent[8], stride[8],
//           u64 bytes, i64 same_as (an input that this output is, or -1), then the bytes of an input or of such an output
//   attr    u64 name, u32 kind, u32 count, i64 i, f64 f, u64 bytes, data
//   answer  u32 bytes of the kernel's name, name (none: no kernel takes the call); then of each output its bytes
//
// Every operand ends at a page that cannot be touched. Chunks of a phase run in an order that threads could have run them in.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "cpu_kernels.h"

static void get(void *to, size_t n) {
  if (n && fread(to, 1, n, stdin) != n) exit(3);
}
static void put(const void *from, size_t n) {
  if (n && fwrite(from, 1, n, stdout) != n) exit(4);
}

typedef struct place { char *map, *data; size_t mapped; uint64_t bytes; int64_t same_as; } place;

static place room(uint64_t bytes, uint64_t align) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (bytes + page - 1) / page * page;
  place p = {.mapped = body + 2 * page, .bytes = bytes, .same_as = -1};
  p.map = mmap(0, p.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p.map == MAP_FAILED || mprotect(p.map + page + body, page, PROT_NONE)) exit(5);
  p.data = p.map + page + (body - bytes) / align * align;
  memset(p.map, 0xff, page + body);
  return p;
}

static void read_operand(bp_cpu_view *v, place *at, int is_output) {
  *v = (bp_cpu_view){0}, *at = (place){.same_as = -1};
  get(&v->dtype, 8);
  if (!v->dtype) return;
  uint32_t head[4];
  get(head, sizeof head);
  v->rank = head[0], v->block_elements = head[1], v->block_bytes = head[2], v->is_const = head[3];
  get(v->extent, sizeof v->extent), get(v->stride, sizeof v->stride);
  uint64_t bytes;
  int64_t same_as;
  get(&bytes, 8), get(&same_as, 8);
  if (same_as >= 0) at->same_as = same_as, at->bytes = bytes;
  else *at = room(bytes, v->block_elements > 1 ? 2 : v->block_bytes);
  if (!is_output) get(at->data, bytes);
  v->data = at->data;
}

static void read_attr(bp_attr *a) {
  uint64_t bytes;
  *a = (bp_attr){0};
  get(&a->name, 8), get(&a->kind, 4), get(&a->count, 4), get(&a->i, 8), get(&a->f, 8), get(&bytes, 8);
  void *data = malloc(bytes + 1);
  get(data, bytes);
  a->data = data;
}

static const bp_cpu_kernel *choose(uint64_t op, uint32_t isa, const bp_cpu_call *call) {
  uint32_t count, have = bp_cpu_detect() & isa;
  const bp_cpu_kernel *const *all = bp_cpu_kernels(&count), *found = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t id = 0xcbf29ce484222325u; // FNV-1a, as operators are named in the ABI
    for (const char *c = all[i]->op; *c; c++) id = (id ^ (uint8_t)*c) * 0x100000001b3u;
    bp_cpu_refusal why;
    if (id == op && (all[i]->needs & have) == all[i]->needs && all[i]->supports(call, &why)) found = all[i];
  }
  return found;
}

static void run(const bp_cpu_kernel *kernel, bp_cpu_call *call) {
  bp_cpu_plan plan;
  kernel->plan(call, &plan);
  place scratch = room(plan.scratch_bytes + 64, 64);
  call->scratch = scratch.data;
  for (uint32_t phase = 0; phase < plan.phases; phase++) {
    uint64_t items = plan.items[phase], grain = plan.grain[phase] ? plan.grain[phase] : 1, chunk = items / call->workers + 1;
    if (chunk < grain) chunk = grain;
    uint64_t chunks = (items + chunk - 1) / chunk;
    for (uint64_t i = chunks; i-- > 0;) { // the last one first: no chunk may wait for another
      uint64_t end = (i + 1) * chunk;
      kernel->run(call, phase, i * chunk, end < items ? end : items, chunks == 1 ? 0 : (uint32_t)(i % call->workers));
    }
  }
  munmap(scratch.map, scratch.mapped);
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 20);
  for (uint64_t op; fread(&op, 8, 1, stdin) == 1;) {
    bp_cpu_call call = {0};
    place in[BP_CPU_MAX_IN] = {0}, out[BP_CPU_MAX_OUT] = {0};
    uint32_t head[6];
    get(head, sizeof head);
    uint32_t isa = head[0];
    call.workers = head[1], call.n_in = head[2], call.n_out = head[3], call.n_attrs = head[4];
    if (call.n_in > BP_CPU_MAX_IN || call.n_out > BP_CPU_MAX_OUT || call.n_attrs > 64) return 2;
    for (uint32_t i = 0; i < call.n_in; i++) read_operand(&call.in[i], &in[i], 0);
    for (uint32_t i = 0; i < call.n_out; i++) {
      read_operand(&call.out[i], &out[i], 1);
      if (out[i].same_as >= 0) call.out[i].data = in[out[i].same_as].data;
    }
    bp_attr attrs[64];
    for (uint32_t i = 0; i < call.n_attrs; i++) read_attr(&attrs[i]);
    call.attrs = attrs;
    const bp_cpu_kernel *kernel = choose(op, isa, &call);
    uint32_t length = kernel ? (uint32_t)strlen(kernel->name) : 0;
    put(&length, 4);
    if (kernel) {
      put(kernel->name, length);
      run(kernel, &call);
      for (uint32_t i = 0; i < call.n_out; i++)
        if (call.out[i].dtype) put(call.out[i].data, out[i].bytes);
    }
    for (uint32_t i = 0; i < call.n_in; i++) if (in[i].map) munmap(in[i].map, in[i].mapped);
    for (uint32_t i = 0; i < call.n_out; i++) if (out[i].map) munmap(out[i].map, out[i].mapped);
    for (uint32_t i = 0; i < call.n_attrs; i++) free((void *)attrs[i].data);
  }
  return 0;
}
