/* The template with group Tuning: `add` of f32 has a slow variant that is right, a fast one that is right, five that are wrong and five that end the
 * process or never return. A tuner must find the fast one. */
#define bp_plugin_query template_query
#include "../../../Plugins/Template/template.c"
#undef bp_plugin_query
#include <signal.h>
#include <stdlib.h>

#define ADD(name, first, end, expression)                                                       \
  static void name(const call *c) {                                                             \
    const float *a = c->in[0].data, *b = c->in[1].data;                                         \
    float *y = c->out.data;                                                                     \
    int64_t n = count(&c->out);                                                                 \
    if (count(&c->in[0]) != n || count(&c->in[1]) != n) { add(c); return; }                     \
    for (int64_t i = (first); i < (end); i++) y[i] = expression;                                \
  }
static void slow(const call *c) {
  for (int i = 0; i < 20; i++) {
    add(c);
    __asm__ volatile("" ::: "memory");
  }
}
ADD(fast, 0, n, a[i] + b[i])
ADD(wrong_nudged, 0, n, (a[i] + b[i]) * 1.0001f)
ADD(wrong_short, 0, n - 1, a[i] + b[i])
ADD(wrong_sign, 0, n, a[i] - b[i])
ADD(wrong_shifted, 0, n, a[i] + b[i ? i - 1 : 0])
ADD(wrong_half, n / 2, n, a[i] + b[i])
static void crash_segment(const call *c) { (void)c; raise(SIGSEGV); }
static void crash_abort(const call *c) { (void)c; abort(); }
static void crash_exit(const call *c) { (void)c; _Exit(3); }
static void crash_signal(const call *c) { (void)c; raise(SIGILL); }
static void crash_hang(const call *c) { (void)c; for (;;) __asm__ volatile("" ::: "memory"); }

static const struct { const char *name; void (*run)(const call *); } variants[] = {
    {"slow", slow}, {"fast", fast}, {"wrong_nudged", wrong_nudged}, {"wrong_short", wrong_short}, {"wrong_sign", wrong_sign},
    {"wrong_shifted", wrong_shifted}, {"wrong_half", wrong_half}, {"crash_segment", crash_segment}, {"crash_abort", crash_abort},
    {"crash_exit", crash_exit}, {"crash_signal", crash_signal}, {"crash_hang", crash_hang},
};
enum { VARIANTS = sizeof variants / sizeof *variants };

static bp_id id_of(const char *name) {
  bp_id hash = 0xcbf29ce484222325ull;
  for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 0x100000001b3ull;
  return hash;
}
static int has_variants(const bp_graph *g, uint32_t node) {
  const bp_node *n = node_at(g, node);
  return n->op == BP_OP_ADD && tensor_at(g, n->out[0])->dtype == BP_FORMAT_F32;
}
static bp_status device_variants(bp_device d, const bp_graph *g, uint32_t node, bp_variant *out, uint32_t stride, uint32_t *counted, bp_error *error) {
  (void)d;
  if (node >= g->nodes.count) return fail(error, BP_E_INVALID, 0, "there is no node %u", node);
  uint32_t room = out ? *counted : 0;
  *counted = has_variants(g, node) ? VARIANTS : 0;
  for (uint32_t i = 0; i < *counted && i < room; i++) {
    bp_variant v = {.name = {variants[i].name, strlen(variants[i].name)}, .numerics_class = BP_NUMERICS_STRICT, .kernel_hash = id_of(variants[i].name)};
    put((char *)out + (uint64_t)i * stride, &v, sizeof v);
  }
  return *counted > room ? BP_MORE : BP_OK;
}
static bp_status config_check(bp_device d, const bp_graph *g, uint32_t node, const bp_config *c, uint64_t *workspace, bp_error *error) {
  (void)d, (void)g, (void)node;
  *workspace = 0;
  for (int i = 0; i < VARIANTS; i++) if (id_of(variants[i].name) == c->variant) return BP_OK;
  return fail(error, BP_E_UNSUPPORTED, BP_REASON_FEATURE, "there is no such variant");
}
static bp_status tuned_create(bp_device d, const bp_compile *given, bp_program *out, bp_error *error) {
  bp_status status = program_create(d, given, out, error);
  if (status != BP_OK) return status;
  for (uint32_t n = 0; n < (*out)->n_nodes; n++) if (has_variants(given->graph, n)) (*out)->nodes[n].run = slow;
  for (uint32_t i = 0; i < given->configs.count; i++) {
    const bp_config *c = at(given->configs, i);
    for (int k = 0; k < VARIANTS; k++) if (id_of(variants[k].name) == c->variant && has_variants(given->graph, c->node)) (*out)->nodes[c->node].run = variants[k].run;
  }
  return BP_OK;
}
static bp_status device_clock(bp_device d, bp_clock *out, bp_error *error) {
  (void)error;
  bp_clock c = {.host_ns = d->host->now_ns(d->host->ctx), .hz = 1000000000};
  c.device_ticks = c.host_ns;
  put(out, &c, sizeof c);
  return BP_OK;
}
static bp_status choosy_info(bp_device d, bp_device_info *out, bp_error *error) {
  bp_status status = device_info(d, out, error);
  out->name = (bp_str)STRING("Choosy device");
  out->groups |= BP_GROUP_TUNING;
  return status;
}
static bp_status choosy_open(bp_instance instance, uint32_t index, bp_device *out, const bp_device_fns **functions, bp_error *error) {
  static bp_device_fns table;
  table = device_functions;
  table.info = choosy_info, table.program_create = tuned_create, table.variants = device_variants, table.config_check = config_check, table.clock = device_clock;
  bp_status status = device_open(instance, index, out, functions, error);
  *functions = &table;
  return status;
}
BP_EXPORT const bp_plugin *bp_plugin_query(uint32_t host_min, uint32_t host_max) {
  static bp_plugin plugin;
  const bp_plugin *given = template_query(host_min, host_max);
  if (!given) return NULL;
  plugin = *given;
  plugin.name = (bp_str)STRING("Choosy");
  plugin.device_open = choosy_open;
  return &plugin;
}
