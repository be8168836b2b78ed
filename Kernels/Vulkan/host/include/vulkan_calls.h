/* Vulkan as this plugin needs it: flat calls without chains of structs. Every function answers a VkResult (0 done, < 0 error) where it can fail.
 * Ownership: what a create function gives, its destroy function takes. Threads: as Vulkan says, except that submits are serialised here.
 */
#ifndef BACKPLANE_VULKAN_CALLS_H
#define BACKPLANE_VULKAN_CALLS_H
#include "vulkan_subset.h"

typedef struct bp_vk_instance bp_vk_instance;
typedef struct bp_vk_device bp_vk_device;

/* Bits of bp_vk_facts.features. */
typedef enum bp_vk_feature {
  BP_VK_ADDRESS = 1, BP_VK_TIMELINE = 2, BP_VK_INT64 = 4, BP_VK_INT16 = 8, BP_VK_STORAGE8 = 16, BP_VK_STORAGE16 = 32, BP_VK_FLOAT16 = 64, BP_VK_INT8 = 128,
  BP_VK_FLOAT64 = 256, BP_VK_NAN_PRESERVED = 512, BP_VK_SUBNORMALS_PRESERVED = 1024, BP_VK_SUBGROUP_ARITHMETIC = 2048, BP_VK_INTEGER_DOT = 4096,
  BP_VK_COOPERATIVE_MATRIX = 8192, BP_VK_HOST_IMPORT = 16384, BP_VK_BUDGET = 32768, BP_VK_QUERY_RESET = 65536, BP_VK_VULKAN12 = 131072,
  BP_VK_STANDARD_LAYOUT = 262144, BP_VK_SUBGROUP_SHUFFLE = 524288, BP_VK_CALIBRATED = 1048576,
} bp_vk_feature;
typedef struct bp_vk_facts {
  char name[256], driver[256], driver_info[256];
  uint8_t uuid[16], cache_uuid[16];
  uint32_t vendor, device, driver_version, api_version, type, features, subgroup_size, queue_family, has_queue, timestamp_bits;
  float timestamp_period; /* nanoseconds a tick */
  uint32_t shared_bytes, group_invocations, group_count[3], group_size[3], uniform_align;
  uint64_t max_allocation, import_align, max_uniform;
  uint32_t type_count, heap_count;
  uint32_t type_flags[32], type_heap[32];
  uint64_t heap_bytes[16], heap_budget[16], heap_usage[16];
} bp_vk_facts;

/* Opens `library` (NULL: libvulkan.so.1) and makes an instance, with the validation layer if `validation`. `why` (256 bytes) says what failed.
 * `complain` is called with each message of the validation layer, from inside the call that caused it. */
VkResult bp_vk_open(const char *library, int validation, void (*complain)(void *, const char *), void *context, bp_vk_instance **out, char *why);
void bp_vk_close(bp_vk_instance *);
uint32_t bp_vk_count(const bp_vk_instance *);
void bp_vk_describe(const bp_vk_instance *, uint32_t index, bp_vk_facts *);

/* Call bindings of every kernel: one uniform block with a dynamic offset, `block_bytes` long. `cache` may be empty. */
VkResult bp_vk_device_open(bp_vk_instance *, uint32_t index, const bp_vk_facts *, uint32_t block_bytes, const void *cache, size_t cache_bytes, bp_vk_device **out);
void bp_vk_device_close(bp_vk_device *); /* what was made from it must be destroyed */
/* Waits until the device has nothing left to do. */
void bp_vk_idle(bp_vk_device *);
/* 1 once the driver has said that the device is lost. */
int bp_vk_is_lost(const bp_vk_device *);
/* The pipeline cache's bytes; call with NULL for the size. */
VkResult bp_vk_cache(bp_vk_device *, size_t *bytes, void *data);

typedef struct bp_vk_memory {
  VkBuffer buffer;
  VkDeviceMemory memory;
  uint64_t address; /* of the first byte, for kernels */
  char *host;       /* NULL when the host cannot see it */
  uint64_t bytes;   /* taken from the device */
} bp_vk_memory;
VkResult bp_vk_allocate(bp_vk_device *, uint64_t bytes, uint32_t type, int visible, bp_vk_memory *out);
/* `host` and `bytes` are multiples of import_align. */
VkResult bp_vk_import(bp_vk_device *, void *host, uint64_t bytes, bp_vk_memory *out);
void bp_vk_free(bp_vk_device *, bp_vk_memory *);

/* A kernel with its specialisation constants: `ids` and `values`, `count` of them. */
VkResult bp_vk_pipeline(bp_vk_device *, const uint32_t *code, size_t code_bytes, const uint32_t *ids, const uint32_t *values, uint32_t count, VkPipeline *out);
void bp_vk_pipeline_destroy(bp_vk_device *, VkPipeline);

/* Commands that can be submitted many times, one time after the other. `blocks` holds the uniform blocks and the group counts. */
typedef struct bp_vk_commands {
  VkCommandPool pool;
  VkCommandBuffer buffer;
  VkDescriptorPool descriptors;
  VkDescriptorSet set;
  VkQueryPool queries; /* two timestamps, or NULL */
  VkSemaphore done;    /* a timeline: counts the runs */
  uint64_t runs;
} bp_vk_commands;
VkResult bp_vk_commands_create(bp_vk_device *, const bp_vk_memory *blocks, int timestamps, bp_vk_commands *out);
void bp_vk_commands_destroy(bp_vk_device *, bp_vk_commands *);
VkResult bp_vk_begin(bp_vk_device *, bp_vk_commands *);
/* Binds the block at `offset` and runs the kernel with three group counts that lie at byte `counts` of `blocks`. */
void bp_vk_launch(bp_vk_device *, bp_vk_commands *, VkPipeline, const bp_vk_memory *blocks, uint32_t offset, uint64_t counts);
void bp_vk_copy(bp_vk_device *, bp_vk_commands *, VkBuffer from, uint64_t from_offset, VkBuffer to, uint64_t to_offset, uint64_t bytes);
/* What follows sees what was written before. */
void bp_vk_barrier(bp_vk_device *, bp_vk_commands *);
VkResult bp_vk_end(bp_vk_device *, bp_vk_commands *);
/* Submits and waits. Any thread. */
VkResult bp_vk_run(bp_vk_device *, bp_vk_commands *, uint64_t timeout_ns);
/* A timeline semaphore, at 0. */
VkResult bp_vk_timeline(bp_vk_device *, VkSemaphore *out);
void bp_vk_timeline_destroy(bp_vk_device *, VkSemaphore);
/* Submits commands one after the other, to begin when each of `waits` has reached its value; `signal` is set to `value` at their end. Any thread. */
VkResult bp_vk_submit(bp_vk_device *, const VkCommandBuffer *buffers, uint32_t count, const VkSemaphore *waits, const uint64_t *values, uint32_t wait_count,
                      VkSemaphore signal, uint64_t value);
VkResult bp_vk_wait(bp_vk_device *, VkSemaphore, uint64_t value, uint64_t timeout_ns);
/* Linux's monotonic clock in nanoseconds and the device's in ticks, read together, and how far they may be apart (nanoseconds).
 * VK_ERROR_FEATURE_NOT_PRESENT without BP_VK_CALIBRATED. */
VkResult bp_vk_clocks(bp_vk_device *, uint64_t *host_ns, uint64_t *ticks, uint64_t *deviation_ns);
/* The two timestamps of the last run, in ticks. */
VkResult bp_vk_times(bp_vk_device *, bp_vk_commands *, uint64_t ticks[2]);
#endif
