/* A whole plugin that can do nothing right: one device that says no to everything. A fixture defines the macros of what it gets
 * wrong, then includes this file. */
#ifndef OWN_NOTE
#define BP_EMIT_NOTE
#endif
#include "backplane_plugin.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef AT_QUERY
#define AT_QUERY
#endif
#ifndef AT_CREATE
#define AT_CREATE
#endif
#ifndef DEVICES
#define DEVICES 1
#endif
#ifndef ABI_MIN
#define ABI_MIN BP_ABI_1_0
#endif
#ifndef ABI_MAX
#define ABI_MAX BP_ABI_1_0
#endif
#ifndef STRUCT_SIZE
#define STRUCT_SIZE sizeof(bp_plugin)
#endif
#ifndef LAYOUT_HASH
#define LAYOUT_HASH BP_ABI_LAYOUT_HASH_1_0
#endif
#ifndef GROUPS
#define GROUPS BP_GROUP_BASE
#endif
#ifndef SUPPORT
#define SUPPORT BP_SUPPORT_NO
#endif
#ifndef EXECUTE
#define EXECUTE execute
#endif

struct bp_buffer_s { void *data; };
static int an_object;
static bp_status info(bp_device d, bp_device_info *out, bp_error *e) {
  (void)d, (void)e;
  out->name = (bp_str){"Fixture", 7};
  out->groups = GROUPS;
  return BP_OK;
}
static bp_status query(bp_device d, const bp_graph *g, bp_verdict *out, uint32_t stride, uint32_t n, bp_error *e) {
  (void)d, (void)g, (void)e;
  for (uint32_t i = 0; i < n; i++) {
    bp_verdict *v = (bp_verdict *)((char *)out + (size_t)i * stride);
    v->support = SUPPORT;
    v->reason = BP_REASON_OP_UNKNOWN;
  }
  return BP_OK;
}
static bp_status buffer_create(bp_device d, const bp_buffer_desc *desc, bp_buffer *out, bp_buffer_info *i, bp_error *e) {
  (void)d, (void)i, (void)e;
  *out = calloc(1, sizeof **out);
  (*out)->data = calloc(1, desc->bytes + 1);
  return BP_OK;
}
static void buffer_destroy(bp_device d, bp_buffer b) { (void)d, free(b->data), free(b); }
static bp_status buffer_map(bp_device d, bp_buffer b, uint64_t off, uint64_t len, uint32_t a, void **out, bp_error *e) {
  (void)d, (void)len, (void)a, (void)e;
  *out = (char *)b->data + off;
  return BP_OK;
}
static bp_status buffer_unmap(bp_device d, bp_buffer b, bp_error *e) { return (void)d, (void)b, (void)e, BP_OK; }
static bp_status program_create(bp_device d, const bp_compile *c, bp_program *out, bp_error *e) {
  (void)d, (void)c, (void)e;
  *out = (bp_program)&an_object;
  return BP_OK;
}
static bp_status program_info(bp_program p, bp_program_info *out, bp_error *e) { return (void)p, (void)out, (void)e, BP_OK; }
static void program_destroy(bp_program p) { (void)p; }
static bp_status execute(bp_device d, const bp_submission *s, bp_error *e) { return (void)d, (void)s, (void)e, BP_OK; }
static const bp_device_fns functions = {
    .h = {sizeof(bp_device_fns), BP_ST_DEVICE_FNS, NULL}, .info = info, .query = query, .buffer_create = buffer_create,
    .buffer_destroy = buffer_destroy, .buffer_map = buffer_map, .buffer_unmap = buffer_unmap, .program_create = program_create,
    .program_info = program_info, .program_destroy = program_destroy, .execute = EXECUTE,
};
static bp_status instance_create(const bp_host *h, bp_instance *out, bp_error *e) {
  (void)h, (void)e, (void)execute;
  *out = (bp_instance)&an_object;
  AT_CREATE;
  return BP_OK;
}
static void instance_destroy(bp_instance i) { (void)i; }
static bp_status device_count(bp_instance i, uint32_t *out, bp_error *e) { return (void)i, (void)e, *out = DEVICES, BP_OK; }
static bp_status device_open(bp_instance i, uint32_t n, bp_device *out, const bp_device_fns **f, bp_error *e) {
  (void)i, (void)n, (void)e;
  *out = (bp_device)&an_object;
  *f = &functions;
  return BP_OK;
}
static void device_close(bp_device d) { (void)d; }

#ifndef NO_ENTRY
const bp_plugin *bp_plugin_query(uint32_t host_min, uint32_t host_max) {
  static bp_plugin p;
  (void)host_min, (void)host_max;
  p.h = (bp_head){STRUCT_SIZE, BP_ST_PLUGIN, NULL};
  p.abi_min = ABI_MIN;
  p.abi_max = ABI_MAX;
  p.name = (bp_str){NAME, sizeof NAME - 1};
  p.abi_layout_hash = LAYOUT_HASH;
  p.instance_create = instance_create;
  p.instance_destroy = instance_destroy;
  p.device_count = device_count;
  p.device_open = device_open;
  p.device_close = device_close;
  AT_QUERY;
  return &p;
}
#else
const void *const unused[] = {&functions, (void *)instance_create, (void *)instance_destroy, (void *)device_count, (void *)device_open, (void *)device_close};
#endif
