// Makes BackplaneABI a compiled target (SwiftPM rebuilds importers of a header only when a C file of its target includes it),
// emits the ELF note for every plugin that links it, and pins the record layouts that the ABI promises.
#define BP_EMIT_NOTE
#include "backplane_plugin.h"
#include "backplane_operators.h"

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type " changed")
#define OFFSET(type, field, bytes) _Static_assert(offsetof(type, field) == (bytes), "offset of " #type "." #field " changed")

SIZE(bp_head, 16);
SIZE(bp_str, 16);
SIZE(bp_span, 16);
SIZE(bp_array, 16);
SIZE(bp_error, 472);
SIZE(bp_host, 160);
SIZE(bp_tensor, 336);
SIZE(bp_attr, 56);
SIZE(bp_symbol_value, 32);
SIZE(bp_node, 80);
SIZE(bp_graph, 80);
SIZE(bp_memory_type, 72);
SIZE(bp_device_info, 184);
SIZE(bp_buffer_desc, 80);
SIZE(bp_buffer_info, 48);
SIZE(bp_link, 40);
SIZE(bp_verdict, 104);
SIZE(bp_param, 64);
SIZE(bp_variant, 96);
SIZE(bp_config, 64);
SIZE(bp_compile, 80);
SIZE(bp_program_info, 96);
SIZE(bp_alias, 24);
SIZE(bp_placement, 48);
SIZE(bp_timestamp, 32);
SIZE(bp_binding, 40);
SIZE(bp_sem_point, 32);
SIZE(bp_dispatch, 72);
SIZE(bp_copy, 56);
SIZE(bp_submission, 120);
SIZE(bp_clock, 48);
SIZE(bp_plugin, 152);
SIZE(bp_elf_note, 48);
OFFSET(bp_error, native_code, 24);
OFFSET(bp_error, src_file, 56);
OFFSET(bp_error, message, 120);
OFFSET(bp_host, alloc, 40);
OFFSET(bp_host, parallel_for, 80);
OFFSET(bp_host, config_get, 152);
OFFSET(bp_tensor, dim, 40);
OFFSET(bp_tensor, stride, 104);
OFFSET(bp_tensor, symbol, 296);
OFFSET(bp_tensor, value_hash, 328);
OFFSET(bp_attr, data, 48);
OFFSET(bp_node, in, 32);
OFFSET(bp_node, attrs, 56);
OFFSET(bp_graph, inputs, 48);
OFFSET(bp_graph, structure_hash, 72);
OFFSET(bp_device_info, uuid, 88);
OFFSET(bp_device_info, groups, 128);
OFFSET(bp_device_info, props, 168);
OFFSET(bp_verdict, limit, 32);
OFFSET(bp_verdict, detail, 72);
OFFSET(bp_verdict, declares, 88);
OFFSET(bp_compile, graph, 16);
OFFSET(bp_program_info, aliases, 40);
OFFSET(bp_placement, offset, 32);
OFFSET(bp_dispatch, bindings, 32);
OFFSET(bp_dispatch, workspace, 64);
OFFSET(bp_submission, dispatches, 48);
OFFSET(bp_submission, deadline_ns, 104);
OFFSET(bp_device_fns, execute, 88);
OFFSET(bp_device_fns, link, 168);
OFFSET(bp_device_fns, blob_check, 184);
OFFSET(bp_device_fns, clock, 208);
OFFSET(bp_plugin, name, 24);
OFFSET(bp_plugin, abi_layout_hash, 96);
OFFSET(bp_plugin, extension, 144);
