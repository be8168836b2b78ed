// A device with its memory, kernels and commands.
#include "internal.h"
#include <stdlib.h>
#include <string.h>

// ---- device -----------------------------------------------------------------------------------------------------------------

VkResult bp_vk_note(bp_vk_device *d, VkResult status) {
  if (status == VK_ERROR_DEVICE_LOST) atomic_store(&d->lost, 1);
  return status;
}
int bp_vk_is_lost(const bp_vk_device *d) { return atomic_load(&d->lost); }

VkResult bp_vk_device_open(bp_vk_instance *i, uint32_t index, const bp_vk_facts *facts, uint32_t block_bytes, const void *cache, size_t cache_bytes, bp_vk_device **out) {
  bp_vk_device *d = calloc(1, sizeof *d);
  if (!d) return VK_ERROR_OUT_OF_HOST_MEMORY;
  uint32_t has = facts->features;
  d->facts = *facts, d->family = facts->queue_family, d->block_bytes = block_bytes;
  pthread_mutex_init(&d->submits, 0);
  const char *extensions[8];
  uint32_t count = 0;
  if (has & BP_VK_HOST_IMPORT) extensions[count++] = "VK_EXT_external_memory_host";
  if (has & BP_VK_BUDGET) extensions[count++] = "VK_EXT_memory_budget";
  if (has & BP_VK_COOPERATIVE_MATRIX) extensions[count++] = "VK_KHR_cooperative_matrix";
  if (has & BP_VK_INTEGER_DOT) extensions[count++] = "VK_KHR_shader_integer_dot_product";
  if (has & BP_VK_CALIBRATED) extensions[count++] = "VK_EXT_calibrated_timestamps";
  float priority = 1;
  VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueFamilyIndex = d->family, .queueCount = 1, .pQueuePriorities = &priority};
  VkPhysicalDeviceShaderIntegerDotProductFeatures dot = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES, .shaderIntegerDotProduct = 1};
  matrix_features matrix = {.sType = (VkStructureType)MATRIX_FEATURES, .pNext = has & BP_VK_INTEGER_DOT ? &dot : 0, .cooperativeMatrix = 1};
  VkPhysicalDeviceVulkan12Features f12 = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, .pNext = has & BP_VK_COOPERATIVE_MATRIX ? (void *)&matrix : has & BP_VK_INTEGER_DOT ? (void *)&dot : 0,
    .vulkanMemoryModel = (has & BP_VK_COOPERATIVE_MATRIX) != 0, .bufferDeviceAddress = 1, .timelineSemaphore = 1, .uniformBufferStandardLayout = 1,
    .storageBuffer8BitAccess = (has & BP_VK_STORAGE8) != 0, .shaderFloat16 = (has & BP_VK_FLOAT16) != 0, .shaderInt8 = (has & BP_VK_INT8) != 0};
  VkPhysicalDeviceVulkan11Features f11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, .pNext = &f12, .storageBuffer16BitAccess = (has & BP_VK_STORAGE16) != 0};
  VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &f11};
  features.features.shaderInt64 = (has & BP_VK_INT64) != 0;
  features.features.shaderInt16 = (has & BP_VK_INT16) != 0;
  features.features.shaderFloat64 = (has & BP_VK_FLOAT64) != 0;
  VkDeviceCreateInfo info = {
    .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &features, .queueCreateInfoCount = 1, .pQueueCreateInfos = &queue,
    .enabledExtensionCount = count, .ppEnabledExtensionNames = extensions};
  VkResult status = i->CreateDevice(i->devices[index], &info, 0, &d->handle);
  if (status < 0) { pthread_mutex_destroy(&d->submits); free(d); return status; }
#define FIND(result, name, ...) d->name = (void *)i->GetDeviceProcAddr(d->handle, "vk" #name); if (!d->name) status = VK_ERROR_FEATURE_NOT_PRESENT;
  DEVICE_FUNCTIONS(FIND)
#undef FIND
  if (status < 0) { if (d->DestroyDevice) d->DestroyDevice(d->handle, 0); pthread_mutex_destroy(&d->submits); free(d); return status; }
  d->GetMemoryHostPointerPropertiesEXT = (void *)i->GetDeviceProcAddr(d->handle, "vkGetMemoryHostPointerPropertiesEXT");
  if (has & BP_VK_CALIBRATED) d->GetCalibratedTimestampsEXT = (void *)i->GetDeviceProcAddr(d->handle, "vkGetCalibratedTimestampsEXT");
  d->GetDeviceQueue(d->handle, d->family, 0, &d->queue);
  VkDescriptorSetLayoutBinding binding = {.descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC, .descriptorCount = 1, .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
  VkDescriptorSetLayoutCreateInfo set = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = 1, .pBindings = &binding};
  status = d->CreateDescriptorSetLayout(d->handle, &set, 0, &d->set_layout);
  VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .setLayoutCount = 1, .pSetLayouts = &d->set_layout};
  if (status >= 0) status = d->CreatePipelineLayout(d->handle, &layout, 0, &d->layout);
  VkPipelineCacheCreateInfo kept = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, .initialDataSize = cache_bytes, .pInitialData = cache};
  if (status >= 0) status = d->CreatePipelineCache(d->handle, &kept, 0, &d->cache);
  if (status < 0) { bp_vk_device_close(d); return status; }
  *out = d;
  return VK_SUCCESS;
}

void bp_vk_idle(bp_vk_device *d) { d->DeviceWaitIdle(d->handle); }

void bp_vk_device_close(bp_vk_device *d) {
  bp_vk_idle(d);
  if (d->cache) d->DestroyPipelineCache(d->handle, d->cache, 0);
  if (d->layout) d->DestroyPipelineLayout(d->handle, d->layout, 0);
  if (d->set_layout) d->DestroyDescriptorSetLayout(d->handle, d->set_layout, 0);
  d->DestroyDevice(d->handle, 0);
  pthread_mutex_destroy(&d->submits);
  free(d);
}

VkResult bp_vk_cache(bp_vk_device *d, size_t *bytes, void *data) { return d->GetPipelineCacheData(d->handle, d->cache, bytes, data); }

// ---- memory -----------------------------------------------------------------------------------------------------------------

static VkResult bind(bp_vk_device *d, uint32_t type, int visible, const void *chain, uint64_t bytes, bp_vk_memory *m) {
  VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO, .pNext = chain, .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
  VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .pNext = &flags, .allocationSize = bytes, .memoryTypeIndex = type};
  VkResult status = d->AllocateMemory(d->handle, &info, 0, &m->memory);
  if (status >= 0) status = d->BindBufferMemory(d->handle, m->buffer, m->memory, 0);
  void *host = 0;
  if (status >= 0 && visible) status = d->MapMemory(d->handle, m->memory, 0, ~0ull, 0, &host);
  if (status < 0) return bp_vk_note(d, status);
  VkBufferDeviceAddressInfo address = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO, .buffer = m->buffer};
  m->host = host, m->address = d->GetBufferDeviceAddress(d->handle, &address), m->bytes = bytes;
  return VK_SUCCESS;
}

static VkResult make_buffer(bp_vk_device *d, uint64_t bytes, const void *chain, VkFlags more, VkMemoryRequirements *needs, VkBuffer *out) {
  VkBufferCreateInfo info = {
    .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .pNext = chain, .size = bytes,
    .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT | more};
  VkResult status = d->CreateBuffer(d->handle, &info, 0, out);
  if (status >= 0) d->GetBufferMemoryRequirements(d->handle, *out, needs);
  return status;
}

VkResult bp_vk_allocate(bp_vk_device *d, uint64_t bytes, uint32_t type, int visible, bp_vk_memory *m) {
  VkMemoryRequirements needs;
  memset(m, 0, sizeof *m);
  if (d->facts.max_allocation && bytes > d->facts.max_allocation) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
  VkResult status = make_buffer(d, bytes, 0, VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT, &needs, &m->buffer);
  if (status >= 0 && !(needs.memoryTypeBits >> type & 1)) status = VK_ERROR_FEATURE_NOT_PRESENT;
  if (status >= 0) status = bind(d, type, visible, 0, needs.size, m);
  if (status < 0) bp_vk_free(d, m);
  return status;
}

VkResult bp_vk_import(bp_vk_device *d, void *host, uint64_t bytes, bp_vk_memory *m) {
  VkMemoryRequirements needs;
  memset(m, 0, sizeof *m);
  VkMemoryHostPointerPropertiesEXT fits = {.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
  VkResult status = !d->GetMemoryHostPointerPropertiesEXT ? VK_ERROR_FEATURE_NOT_PRESENT
    : d->GetMemoryHostPointerPropertiesEXT(d->handle, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT, host, &fits);
  VkExternalMemoryBufferCreateInfo external = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO, .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT};
  if (status >= 0) status = make_buffer(d, bytes, &external, 0, &needs, &m->buffer);
  if (status >= 0) {
    uint32_t types = needs.memoryTypeBits & fits.memoryTypeBits;
    VkImportMemoryHostPointerInfoEXT import = {
      .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT, .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT, .pHostPointer = host};
    status = types ? bind(d, (uint32_t)__builtin_ctz(types), 0, &import, bytes, m) : VK_ERROR_FEATURE_NOT_PRESENT;
  }
  if (status < 0) bp_vk_free(d, m);
  else m->host = host;
  return status;
}

void bp_vk_free(bp_vk_device *d, bp_vk_memory *m) {
  if (m->buffer) d->DestroyBuffer(d->handle, m->buffer, 0);
  if (m->memory) d->FreeMemory(d->handle, m->memory, 0); // unmaps
  memset(m, 0, sizeof *m);
}

// ---- kernels ----------------------------------------------------------------------------------------------------------------

VkResult bp_vk_pipeline(bp_vk_device *d, const uint32_t *code, size_t code_bytes, const uint32_t *ids, const uint32_t *values, uint32_t count, VkPipeline *out) {
  VkSpecializationMapEntry entries[64];
  if (count > 64) return VK_ERROR_TOO_MANY_OBJECTS;
  for (uint32_t i = 0; i < count; i++) entries[i] = (VkSpecializationMapEntry){ids[i], 4 * i, 4};
  VkShaderModuleCreateInfo module = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = code_bytes, .pCode = code};
  VkShaderModule shader;
  VkResult status = d->CreateShaderModule(d->handle, &module, 0, &shader);
  if (status < 0) return bp_vk_note(d, status);
  VkSpecializationInfo constants = {count, entries, 4 * count, values};
  VkComputePipelineCreateInfo info = {
    .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .layout = d->layout,
    .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = shader, .pName = "main", .pSpecializationInfo = &constants}};
  status = d->CreateComputePipelines(d->handle, d->cache, 1, &info, 0, out);
  d->DestroyShaderModule(d->handle, shader, 0);
  return bp_vk_note(d, status);
}
void bp_vk_pipeline_destroy(bp_vk_device *d, VkPipeline pipeline) { d->DestroyPipeline(d->handle, pipeline, 0); }

// ---- commands ---------------------------------------------------------------------------------------------------------------

VkResult bp_vk_commands_create(bp_vk_device *d, const bp_vk_memory *blocks, int timestamps, bp_vk_commands *c) {
  memset(c, 0, sizeof *c);
  VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT, .queueFamilyIndex = d->family};
  VkResult status = d->CreateCommandPool(d->handle, &pool, 0, &c->pool);
  if (status >= 0) {
    VkCommandBufferAllocateInfo buffer = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, .commandPool = c->pool, .commandBufferCount = 1};
    status = d->AllocateCommandBuffers(d->handle, &buffer, &c->buffer);
  }
  if (status >= 0 && blocks) {
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC, 1};
    VkDescriptorPoolCreateInfo descriptors = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = 1, .poolSizeCount = 1, .pPoolSizes = &size};
    status = d->CreateDescriptorPool(d->handle, &descriptors, 0, &c->descriptors);
    VkDescriptorSetAllocateInfo set = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, .descriptorPool = c->descriptors, .descriptorSetCount = 1, .pSetLayouts = &d->set_layout};
    if (status >= 0) status = d->AllocateDescriptorSets(d->handle, &set, &c->set);
    if (status >= 0) {
      VkDescriptorBufferInfo buffer = {blocks->buffer, 0, d->block_bytes};
      VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = c->set, .descriptorCount = 1, .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC, .pBufferInfo = &buffer};
      d->UpdateDescriptorSets(d->handle, 1, &write, 0, 0);
    }
  }
  if (status >= 0 && timestamps) {
    VkQueryPoolCreateInfo queries = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = 2};
    status = d->CreateQueryPool(d->handle, &queries, 0, &c->queries);
  }
  if (status >= 0) status = bp_vk_timeline(d, &c->done);
  if (status < 0) bp_vk_commands_destroy(d, c);
  return bp_vk_note(d, status);
}

void bp_vk_commands_destroy(bp_vk_device *d, bp_vk_commands *c) {
  if (c->done) d->DestroySemaphore(d->handle, c->done, 0);
  if (c->queries) d->DestroyQueryPool(d->handle, c->queries, 0);
  if (c->descriptors) d->DestroyDescriptorPool(d->handle, c->descriptors, 0);
  if (c->pool) d->DestroyCommandPool(d->handle, c->pool, 0);
  memset(c, 0, sizeof *c);
}

static void barrier(bp_vk_device *d, bp_vk_commands *c, VkFlags before, VkFlags after, VkFlags written, VkFlags read) {
  VkMemoryBarrier memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = written, .dstAccessMask = read};
  d->CmdPipelineBarrier(c->buffer, before, after, 0, 1, &memory, 0, 0, 0, 0);
}

VkResult bp_vk_begin(bp_vk_device *d, bp_vk_commands *c) {
  VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  VkResult status = d->BeginCommandBuffer(c->buffer, &info);
  if (status < 0) return bp_vk_note(d, status);
  if (c->queries) {
    d->CmdResetQueryPool(c->buffer, c->queries, 0, 2);
    d->CmdWriteTimestamp(c->buffer, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, c->queries, 0);
  }
  bp_vk_barrier(d, c); // of a submission's commands, what follows sees what was written before
  return VK_SUCCESS;
}

void bp_vk_launch(bp_vk_device *d, bp_vk_commands *c, VkPipeline pipeline, const bp_vk_memory *blocks, uint32_t offset, uint64_t counts) {
  d->CmdBindPipeline(c->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
  d->CmdBindDescriptorSets(c->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, d->layout, 0, 1, &c->set, 1, &offset);
  d->CmdDispatchIndirect(c->buffer, blocks->buffer, counts);
}

void bp_vk_copy(bp_vk_device *d, bp_vk_commands *c, VkBuffer from, uint64_t from_offset, VkBuffer to, uint64_t to_offset, uint64_t bytes) {
  VkBufferCopy region = {from_offset, to_offset, bytes};
  d->CmdCopyBuffer(c->buffer, from, to, 1, &region);
}

void bp_vk_barrier(bp_vk_device *d, bp_vk_commands *c) {
  VkFlags stages = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
  barrier(d, c, stages, stages, VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
          VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT);
}

VkResult bp_vk_end(bp_vk_device *d, bp_vk_commands *c) {
  VkFlags stages = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
  barrier(d, c, stages, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT, VK_ACCESS_HOST_READ_BIT | VK_ACCESS_HOST_WRITE_BIT);
  if (c->queries) d->CmdWriteTimestamp(c->buffer, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, c->queries, 1);
  return bp_vk_note(d, d->EndCommandBuffer(c->buffer));
}

VkResult bp_vk_timeline(bp_vk_device *d, VkSemaphore *out) {
  VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO, .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
  VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type};
  return bp_vk_note(d, d->CreateSemaphore(d->handle, &semaphore, 0, out));
}
void bp_vk_timeline_destroy(bp_vk_device *d, VkSemaphore semaphore) { d->DestroySemaphore(d->handle, semaphore, 0); }

VkResult bp_vk_submit(bp_vk_device *d, const VkCommandBuffer *buffers, uint32_t count, const VkSemaphore *waits, const uint64_t *values, uint32_t wait_count,
                      VkSemaphore signal, uint64_t value) {
  VkFlags stages[64];
  if (wait_count > 64) return VK_ERROR_TOO_MANY_OBJECTS;
  for (uint32_t i = 0; i < wait_count; i++) stages[i] = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
  VkTimelineSemaphoreSubmitInfo timeline = {
    .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO, .waitSemaphoreValueCount = wait_count, .pWaitSemaphoreValues = values,
    .signalSemaphoreValueCount = 1, .pSignalSemaphoreValues = &value};
  VkSubmitInfo info = {
    .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .pNext = &timeline, .waitSemaphoreCount = wait_count, .pWaitSemaphores = waits, .pWaitDstStageMask = stages,
    .commandBufferCount = count, .pCommandBuffers = buffers, .signalSemaphoreCount = 1, .pSignalSemaphores = &signal};
  pthread_mutex_lock(&d->submits);
  VkResult status = d->QueueSubmit(d->queue, 1, &info, 0);
  pthread_mutex_unlock(&d->submits);
  return bp_vk_note(d, status);
}

VkResult bp_vk_wait(bp_vk_device *d, VkSemaphore semaphore, uint64_t value, uint64_t timeout_ns) {
  VkSemaphoreWaitInfo wait = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO, .semaphoreCount = 1, .pSemaphores = &semaphore, .pValues = &value};
  return bp_vk_note(d, d->WaitSemaphores(d->handle, &wait, timeout_ns));
}

VkResult bp_vk_run(bp_vk_device *d, bp_vk_commands *c, uint64_t timeout_ns) {
  VkResult status = bp_vk_submit(d, &c->buffer, 1, 0, 0, 0, c->done, ++c->runs);
  return status < 0 ? status : bp_vk_wait(d, c->done, c->runs, timeout_ns);
}

VkResult bp_vk_times(bp_vk_device *d, bp_vk_commands *c, uint64_t ticks[2]) {
  return bp_vk_note(d, d->GetQueryPoolResults(d->handle, c->queries, 0, 2, 16, ticks, 8, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
}

VkResult bp_vk_clocks(bp_vk_device *d, uint64_t *host_ns, uint64_t *ticks, uint64_t *deviation_ns) {
  if (!d->GetCalibratedTimestampsEXT) return VK_ERROR_FEATURE_NOT_PRESENT;
  const VkCalibratedTimestampInfoEXT wanted[] = {
    {.sType = VK_STRUCTURE_TYPE_CALIBRATED_TIMESTAMP_INFO_EXT, .timeDomain = VK_TIME_DOMAIN_CLOCK_MONOTONIC_EXT},
    {.sType = VK_STRUCTURE_TYPE_CALIBRATED_TIMESTAMP_INFO_EXT, .timeDomain = VK_TIME_DOMAIN_DEVICE_EXT}};
  uint64_t times[2];
  VkResult status = d->GetCalibratedTimestampsEXT(d->handle, 2, wanted, times, deviation_ns);
  *host_ns = times[0], *ticks = times[1];
  return bp_vk_note(d, status);
}
