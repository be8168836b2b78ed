// The header must compile on its own and beside the plugins' header, and its structs keep their places.
#include "backplane.h"
#include "backplane_plugin.h"

#define AT(type, field, place) _Static_assert(offsetof(type, field) == place, #type "." #field)
AT(bp_failure, message, 80);
AT(bp_runtime_options, plugin_paths, 16);
AT(bp_runtime_options, log_user, 48);
AT(bp_memory_stats, proportional_file, 32);
AT(bp_load_options, cache_format, 24);
AT(bp_compile_options, cancellation, 24);
AT(bp_run_options, timeout_ns, 16);
AT(bp_generate_options, cancellation, 56);
AT(bp_generation, decode_ns, 32);
