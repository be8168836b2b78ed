// Vulkan as this plugin needs it. The library is opened at run time: nothing here links it.
#include "vulkan_calls.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- functions, found by name -----------------------------------------------------------------------------------------------

#define INSTANCE_FUNCTIONS(F)                                                                                             \
  F(void, DestroyInstance, VkInstance, const void *)                                                                      \
  F(VkResult, EnumeratePhysicalDevices, VkInstance, uint32_t *, VkPhysicalDevice *)                                       \
  F(void, GetPhysicalDeviceProperties2, VkPhysicalDevice, VkPhysicalDeviceProperties2 *)                                  \
  F(void, GetPhysicalDeviceFeatures2, VkPhysicalDevice, VkPhysicalDeviceFeatures2 *)                                      \
  F(void, GetPhysicalDeviceMemoryProperties2, VkPhysicalDevice, VkPhysicalDeviceMemoryProperties2 *)                      \
  F(void, GetPhysicalDeviceQueueFamilyProperties, VkPhysicalDevice, uint32_t *, VkQueueFamilyProperties *)                \
  F(VkResult, EnumerateDeviceExtensionProperties, VkPhysicalDevice, const char *, uint32_t *, VkExtensionProperties *)    \
  F(VkResult, CreateDevice, VkPhysicalDevice, const VkDeviceCreateInfo *, const void *, VkDevice *)                       \
  F(PFN_vkVoidFunction, GetDeviceProcAddr, VkDevice, const char *)
#define DEVICE_FUNCTIONS(F)                                                                                               \
  F(void, DestroyDevice, VkDevice, const void *)                                                                          \
  F(void, GetDeviceQueue, VkDevice, uint32_t, uint32_t, VkQueue *)                                                        \
  F(VkResult, AllocateMemory, VkDevice, const VkMemoryAllocateInfo *, const void *, VkDeviceMemory *)                     \
  F(void, FreeMemory, VkDevice, VkDeviceMemory, const void *)                                                             \
  F(VkResult, MapMemory, VkDevice, VkDeviceMemory, VkDeviceSize, VkDeviceSize, VkFlags, void **)                          \
  F(VkResult, CreateBuffer, VkDevice, const VkBufferCreateInfo *, const void *, VkBuffer *)                               \
  F(void, DestroyBuffer, VkDevice, VkBuffer, const void *)                                                                \
  F(void, GetBufferMemoryRequirements, VkDevice, VkBuffer, VkMemoryRequirements *)                                        \
  F(VkResult, BindBufferMemory, VkDevice, VkBuffer, VkDeviceMemory, VkDeviceSize)                                         \
  F(VkDeviceAddress, GetBufferDeviceAddress, VkDevice, const VkBufferDeviceAddressInfo *)                                 \
  F(VkResult, CreateShaderModule, VkDevice, const VkShaderModuleCreateInfo *, const void *, VkShaderModule *)             \
  F(void, DestroyShaderModule, VkDevice, VkShaderModule, const void *)                                                    \
  F(VkResult, CreateDescriptorSetLayout, VkDevice, const VkDescriptorSetLayoutCreateInfo *, const void *, VkDescriptorSetLayout *) \
  F(void, DestroyDescriptorSetLayout, VkDevice, VkDescriptorSetLayout, const void *)                                      \
  F(VkResult, CreateDescriptorPool, VkDevice, const VkDescriptorPoolCreateInfo *, const void *, VkDescriptorPool *)       \
  F(void, DestroyDescriptorPool, VkDevice, VkDescriptorPool, const void *)                                                \
  F(VkResult, AllocateDescriptorSets, VkDevice, const VkDescriptorSetAllocateInfo *, VkDescriptorSet *)                   \
  F(void, UpdateDescriptorSets, VkDevice, uint32_t, const VkWriteDescriptorSet *, uint32_t, const void *)                 \
  F(VkResult, CreatePipelineLayout, VkDevice, const VkPipelineLayoutCreateInfo *, const void *, VkPipelineLayout *)       \
  F(void, DestroyPipelineLayout, VkDevice, VkPipelineLayout, const void *)                                                \
  F(VkResult, CreatePipelineCache, VkDevice, const VkPipelineCacheCreateInfo *, const void *, VkPipelineCache *)          \
  F(VkResult, GetPipelineCacheData, VkDevice, VkPipelineCache, size_t *, void *)                                          \
  F(void, DestroyPipelineCache, VkDevice, VkPipelineCache, const void *)                                                  \
  F(VkResult, CreateComputePipelines, VkDevice, VkPipelineCache, uint32_t, const VkComputePipelineCreateInfo *, const void *, VkPipeline *) \
  F(void, DestroyPipeline, VkDevice, VkPipeline, const void *)                                                            \
  F(VkResult, CreateCommandPool, VkDevice, const VkCommandPoolCreateInfo *, const void *, VkCommandPool *)                \
  F(void, DestroyCommandPool, VkDevice, VkCommandPool, const void *)                                                      \
  F(VkResult, AllocateCommandBuffers, VkDevice, const VkCommandBufferAllocateInfo *, VkCommandBuffer *)                   \
  F(VkResult, BeginCommandBuffer, VkCommandBuffer, const VkCommandBufferBeginInfo *)                                      \
  F(VkResult, EndCommandBuffer, VkCommandBuffer)                                                                          \
  F(void, CmdBindPipeline, VkCommandBuffer, int32_t, VkPipeline)                                                          \
  F(void, CmdBindDescriptorSets, VkCommandBuffer, int32_t, VkPipelineLayout, uint32_t, uint32_t, const VkDescriptorSet *, uint32_t, const uint32_t *) \
  F(void, CmdDispatchIndirect, VkCommandBuffer, VkBuffer, VkDeviceSize)                                                   \
  F(void, CmdCopyBuffer, VkCommandBuffer, VkBuffer, VkBuffer, uint32_t, const VkBufferCopy *)                             \
  F(void, CmdPipelineBarrier, VkCommandBuffer, VkFlags, VkFlags, VkFlags, uint32_t, const VkMemoryBarrier *, uint32_t, const void *, uint32_t, const void *) \
  F(VkResult, CreateQueryPool, VkDevice, const VkQueryPoolCreateInfo *, const void *, VkQueryPool *)                      \
  F(void, DestroyQueryPool, VkDevice, VkQueryPool, const void *)                                                          \
  F(void, CmdResetQueryPool, VkCommandBuffer, VkQueryPool, uint32_t, uint32_t)                                            \
  F(void, CmdWriteTimestamp, VkCommandBuffer, uint32_t, VkQueryPool, uint32_t)                                            \
  F(VkResult, GetQueryPoolResults, VkDevice, VkQueryPool, uint32_t, uint32_t, size_t, void *, VkDeviceSize, VkFlags)      \
  F(VkResult, CreateSemaphore, VkDevice, const VkSemaphoreCreateInfo *, const void *, VkSemaphore *)                      \
  F(void, DestroySemaphore, VkDevice, VkSemaphore, const void *)                                                          \
  F(VkResult, WaitSemaphores, VkDevice, const VkSemaphoreWaitInfo *, uint64_t)                                            \
  F(VkResult, QueueSubmit, VkQueue, uint32_t, const VkSubmitInfo *, VkFence)                                              \
  F(VkResult, DeviceWaitIdle, VkDevice)

typedef PFN_vkVoidFunction (*find_instance)(VkInstance, const char *);
#define MEMBER(result, name, ...) result (*name)(__VA_ARGS__);
struct bp_vk_instance {
  void *library;
  VkInstance handle;
  VkDebugUtilsMessengerEXT messenger;
  void (*destroy_messenger)(VkInstance, VkDebugUtilsMessengerEXT, const void *);
  void (*complain)(void *, const char *);
  void *context;
  VkPhysicalDevice devices[16];
  uint32_t count;
  find_instance find;
  INSTANCE_FUNCTIONS(MEMBER)
};
struct bp_vk_device {
  VkDevice handle;
  VkQueue queue;
  uint32_t family, block_bytes;
  bp_vk_facts facts;
  pthread_mutex_t submits;
  atomic_int lost;
  VkDescriptorSetLayout set_layout;
  VkPipelineLayout layout;
  VkPipelineCache cache;
  VkResult (*GetMemoryHostPointerPropertiesEXT)(VkDevice, VkFlags, const void *, VkMemoryHostPointerPropertiesEXT *);
  DEVICE_FUNCTIONS(MEMBER)
};

// VK_KHR_cooperative_matrix, which many systems' headers do not have yet.
enum { MATRIX_FEATURES = 1000506000, MATRIX_PROPERTIES = 1000506001, MATRIX_FLOAT16 = 0, MATRIX_FLOAT32 = 1, MATRIX_SUBGROUP = 3 };
typedef struct { VkStructureType sType; void *pNext; VkBool32 cooperativeMatrix, robustBufferAccess; } matrix_features;
typedef struct {
  VkStructureType sType;
  void *pNext;
  uint32_t m, n, k, a, b, c, result;
  VkBool32 saturates;
  uint32_t scope;
} matrix_shape;

// ---- instance ---------------------------------------------------------------------------------------------------------------

static VkBool32 complaint(uint32_t severity, VkFlags types, const VkDebugUtilsMessengerCallbackDataEXT *data, void *context) {
  (void)severity, (void)types;
  bp_vk_instance *i = context;
  if (i->complain) i->complain(i->context, data->pMessage ? data->pMessage : "");
  return 0;
}

static int has_layer(find_instance find, const char *name) {
  VkResult (*list)(uint32_t *, VkLayerProperties *) = (void *)find(0, "vkEnumerateInstanceLayerProperties");
  VkLayerProperties layers[64];
  uint32_t count = 64;
  if (!list || list(&count, layers) < 0) return 0;
  for (uint32_t i = 0; i < count; i++) if (strcmp(layers[i].layerName, name) == 0) return 1;
  return 0;
}

VkResult bp_vk_open(const char *library, int validation, void (*complain)(void *, const char *), void *context, bp_vk_instance **out, char *why) {
  static const char *const layer[] = {"VK_LAYER_KHRONOS_validation"}, *const extension[] = {"VK_EXT_debug_utils"};
  const char *path = library ? library : "libvulkan.so.1";
  bp_vk_instance *i = calloc(1, sizeof *i);
  if (!i) return VK_ERROR_OUT_OF_HOST_MEMORY;
  i->complain = complain, i->context = context;
  i->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  i->find = i->library ? (find_instance)dlsym(i->library, "vkGetInstanceProcAddr") : 0;
  VkResult (*create)(const VkInstanceCreateInfo *, const void *, VkInstance *) = i->find ? (void *)i->find(0, "vkCreateInstance") : 0;
  VkResult status = VK_ERROR_INITIALIZATION_FAILED;
  if (!create) { snprintf(why, 256, "there is no Vulkan loader (%s)", path); goto failed; }
  if (validation && !has_layer(i->find, layer[0])) { snprintf(why, 256, "the layer %s is not installed", layer[0]); goto failed; }
  VkDebugUtilsMessengerCreateInfoEXT messenger = {
    .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
    .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
    .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT, .pfnUserCallback = complaint, .pUserData = i};
  VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .pEngineName = "Backplane", .apiVersion = VK_MAKE_VERSION(1, 2)};
  VkInstanceCreateInfo info = {
    .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pNext = validation ? &messenger : 0, .pApplicationInfo = &application,
    .enabledLayerCount = validation ? 1 : 0, .ppEnabledLayerNames = layer, .enabledExtensionCount = validation ? 1 : 0, .ppEnabledExtensionNames = extension};
  status = create(&info, 0, &i->handle);
  if (status < 0) {
    i->handle = 0;
    snprintf(why, 256, status == VK_ERROR_INCOMPATIBLE_DRIVER ? "the Vulkan loader finds no driver (no ICD is installed)" : "vkCreateInstance failed (%d)", status);
    goto failed;
  }
#define FIND(result, name, ...) i->name = (void *)i->find(i->handle, "vk" #name); if (!i->name) { snprintf(why, 256, "the loader has no vk" #name); goto failed; }
  INSTANCE_FUNCTIONS(FIND)
#undef FIND
  if (validation) {
    VkResult (*add)(VkInstance, const VkDebugUtilsMessengerCreateInfoEXT *, const void *, VkDebugUtilsMessengerEXT *) = (void *)i->find(i->handle, "vkCreateDebugUtilsMessengerEXT");
    i->destroy_messenger = (void *)i->find(i->handle, "vkDestroyDebugUtilsMessengerEXT");
    if (add && i->destroy_messenger) add(i->handle, &messenger, 0, &i->messenger);
  }
  i->count = 16;
  status = i->EnumeratePhysicalDevices(i->handle, &i->count, i->devices);
  if (status < 0) { snprintf(why, 256, "vkEnumeratePhysicalDevices failed (%d)", status); goto failed; }
  *out = i;
  return VK_SUCCESS;
failed:
  bp_vk_close(i);
  return status < 0 ? status : VK_ERROR_INITIALIZATION_FAILED;
}

void bp_vk_close(bp_vk_instance *i) {
  if (i->messenger) i->destroy_messenger(i->handle, i->messenger, 0);
  if (i->handle && i->DestroyInstance) i->DestroyInstance(i->handle, 0);
  free(i); // the library stays: drivers do not like to be unloaded
}

uint32_t bp_vk_count(const bp_vk_instance *i) { return i->count; }

static int has_extension(const VkExtensionProperties *list, uint32_t count, const char *name) {
  for (uint32_t i = 0; i < count; i++) if (strcmp(list[i].extensionName, name) == 0) return 1;
  return 0;
}

// Whether 16 by 16 by 16 matrices of f16, summed in f32, are multiplied by a subgroup.
static int has_matrices(const bp_vk_instance *i, VkPhysicalDevice d) {
  VkResult (*list)(VkPhysicalDevice, uint32_t *, matrix_shape *) = (void *)i->find(i->handle, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
  matrix_shape shapes[64] = {0};
  uint32_t count = 64;
  for (int k = 0; k < 64; k++) shapes[k].sType = (VkStructureType)MATRIX_PROPERTIES;
  if (!list || list(d, &count, shapes) < 0) return 0;
  for (uint32_t k = 0; k < count && k < 64; k++) {
    const matrix_shape *s = &shapes[k];
    if (s->m == 16 && s->n == 16 && s->k == 16 && s->a == MATRIX_FLOAT16 && s->b == MATRIX_FLOAT16 && s->c == MATRIX_FLOAT32 && s->result == MATRIX_FLOAT32 &&
        s->scope == MATRIX_SUBGROUP) return 1;
  }
  return 0;
}

void bp_vk_describe(const bp_vk_instance *i, uint32_t index, bp_vk_facts *f) {
  VkPhysicalDevice d = i->devices[index];
  memset(f, 0, sizeof *f);
  uint32_t extension_count = 0;
  i->EnumerateDeviceExtensionProperties(d, 0, &extension_count, 0);
  VkExtensionProperties *extensions = calloc(extension_count ? extension_count : 1, sizeof *extensions);
  if (!extensions || i->EnumerateDeviceExtensionProperties(d, 0, &extension_count, extensions) < 0) extension_count = 0;
  int import = has_extension(extensions, extension_count, "VK_EXT_external_memory_host");
  int budget = has_extension(extensions, extension_count, "VK_EXT_memory_budget");
  int dot = has_extension(extensions, extension_count, "VK_KHR_shader_integer_dot_product");
  int matrix = has_extension(extensions, extension_count, "VK_KHR_cooperative_matrix");
  free(extensions);

  VkPhysicalDeviceProperties2 first = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
  i->GetPhysicalDeviceProperties2(d, &first);
  const VkPhysicalDeviceProperties *p = &first.properties;
  snprintf(f->name, sizeof f->name, "%s", p->deviceName);
  f->vendor = p->vendorID, f->device = p->deviceID, f->driver_version = p->driverVersion, f->api_version = p->apiVersion, f->type = (uint32_t)p->deviceType;
  memcpy(f->cache_uuid, p->pipelineCacheUUID, 16);
  f->shared_bytes = p->limits.maxComputeSharedMemorySize, f->group_invocations = p->limits.maxComputeWorkGroupInvocations;
  memcpy(f->group_count, p->limits.maxComputeWorkGroupCount, sizeof f->group_count);
  memcpy(f->group_size, p->limits.maxComputeWorkGroupSize, sizeof f->group_size);
  f->uniform_align = (uint32_t)p->limits.minUniformBufferOffsetAlignment, f->max_uniform = p->limits.maxUniformBufferRange;
  f->timestamp_period = p->limits.timestampPeriod;
  if (p->apiVersion < VK_MAKE_VERSION(1, 2)) return;

  f->features |= BP_VK_VULKAN12;
  VkPhysicalDeviceExternalMemoryHostPropertiesEXT host = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT};
  VkPhysicalDeviceVulkan12Properties p12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES, .pNext = import ? &host : 0};
  VkPhysicalDeviceVulkan11Properties p11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES, .pNext = &p12};
  VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &p11};
  i->GetPhysicalDeviceProperties2(d, &properties);
  snprintf(f->driver, sizeof f->driver, "%s", p12.driverName);
  snprintf(f->driver_info, sizeof f->driver_info, "%s", p12.driverInfo);
  memcpy(f->uuid, p11.deviceUUID, 16);
  f->subgroup_size = p11.subgroupSize, f->max_allocation = p11.maxMemoryAllocationSize, f->import_align = host.minImportedHostPointerAlignment;

  matrix_features f_matrix = {.sType = (VkStructureType)MATRIX_FEATURES};
  VkPhysicalDeviceShaderIntegerDotProductFeatures f_dot = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES, .pNext = matrix ? &f_matrix : 0};
  VkPhysicalDeviceVulkan12Features f12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, .pNext = dot ? (void *)&f_dot : matrix ? (void *)&f_matrix : 0};
  VkPhysicalDeviceVulkan11Features f11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, .pNext = &f12};
  VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &f11};
  i->GetPhysicalDeviceFeatures2(d, &features);
  const struct { VkBool32 is; uint32_t bit; } found[] = {
    {f12.bufferDeviceAddress, BP_VK_ADDRESS}, {f12.timelineSemaphore, BP_VK_TIMELINE}, {features.features.shaderInt64, BP_VK_INT64},
    {features.features.shaderInt16, BP_VK_INT16}, {f12.storageBuffer8BitAccess, BP_VK_STORAGE8}, {f11.storageBuffer16BitAccess, BP_VK_STORAGE16},
    {f12.shaderFloat16, BP_VK_FLOAT16}, {f12.shaderInt8, BP_VK_INT8}, {features.features.shaderFloat64, BP_VK_FLOAT64},
    {p12.shaderSignedZeroInfNanPreserveFloat32, BP_VK_NAN_PRESERVED}, {p12.shaderDenormPreserveFloat32, BP_VK_SUBNORMALS_PRESERVED},
    {p11.subgroupSupportedOperations & 4 && p11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT, BP_VK_SUBGROUP_ARITHMETIC},
    {p11.subgroupSupportedOperations & 16 && p11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT, BP_VK_SUBGROUP_SHUFFLE},
    {f_dot.shaderIntegerDotProduct, BP_VK_INTEGER_DOT}, {f_matrix.cooperativeMatrix && f12.vulkanMemoryModel && f12.shaderFloat16 && has_matrices(i, d), BP_VK_COOPERATIVE_MATRIX}, {(VkBool32)import, BP_VK_HOST_IMPORT},
    {(VkBool32)budget, BP_VK_BUDGET}, {f12.hostQueryReset, BP_VK_QUERY_RESET},
    {f12.uniformBufferStandardLayout, BP_VK_STANDARD_LAYOUT}};
  for (size_t k = 0; k < sizeof found / sizeof *found; k++) if (found[k].is) f->features |= found[k].bit;

  VkPhysicalDeviceMemoryBudgetPropertiesEXT heaps = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
  VkPhysicalDeviceMemoryProperties2 memory = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, .pNext = budget ? &heaps : 0};
  i->GetPhysicalDeviceMemoryProperties2(d, &memory);
  f->type_count = memory.memoryProperties.memoryTypeCount, f->heap_count = memory.memoryProperties.memoryHeapCount;
  for (uint32_t k = 0; k < f->type_count && k < 32; k++)
    f->type_flags[k] = memory.memoryProperties.memoryTypes[k].propertyFlags, f->type_heap[k] = memory.memoryProperties.memoryTypes[k].heapIndex;
  for (uint32_t k = 0; k < f->heap_count && k < 16; k++)
    f->heap_bytes[k] = memory.memoryProperties.memoryHeaps[k].size, f->heap_budget[k] = heaps.heapBudget[k], f->heap_usage[k] = heaps.heapUsage[k];

  // A family for computing alone, where there is one, does not wait for a screen.
  VkQueueFamilyProperties families[32];
  uint32_t count = 32;
  i->GetPhysicalDeviceQueueFamilyProperties(d, &count, families);
  for (uint32_t pass = 0; pass < 2 && !f->has_queue; pass++)
    for (uint32_t k = 0; k < count && !f->has_queue; k++) {
      int computes = (families[k].queueFlags & VK_QUEUE_COMPUTE_BIT) != 0, draws = families[k].queueFlags & 1;
      if (computes && families[k].queueCount > 0 && (pass == 1 || !draws)) f->queue_family = k, f->has_queue = 1, f->timestamp_bits = families[k].timestampValidBits;
    }
}

// ---- device -----------------------------------------------------------------------------------------------------------------

static VkResult note(bp_vk_device *d, VkResult status) {
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

void bp_vk_device_close(bp_vk_device *d) {
  d->DeviceWaitIdle(d->handle);
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
  if (status < 0) return note(d, status);
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
  if (status < 0) return note(d, status);
  VkSpecializationInfo constants = {count, entries, 4 * count, values};
  VkComputePipelineCreateInfo info = {
    .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .layout = d->layout,
    .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = shader, .pName = "main", .pSpecializationInfo = &constants}};
  status = d->CreateComputePipelines(d->handle, d->cache, 1, &info, 0, out);
  d->DestroyShaderModule(d->handle, shader, 0);
  return note(d, status);
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
  return note(d, status);
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
  if (status < 0) return note(d, status);
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
  return note(d, d->EndCommandBuffer(c->buffer));
}

VkResult bp_vk_timeline(bp_vk_device *d, VkSemaphore *out) {
  VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO, .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
  VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type};
  return note(d, d->CreateSemaphore(d->handle, &semaphore, 0, out));
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
  return note(d, status);
}

VkResult bp_vk_wait(bp_vk_device *d, VkSemaphore semaphore, uint64_t value, uint64_t timeout_ns) {
  VkSemaphoreWaitInfo wait = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO, .semaphoreCount = 1, .pSemaphores = &semaphore, .pValues = &value};
  return note(d, d->WaitSemaphores(d->handle, &wait, timeout_ns));
}

VkResult bp_vk_run(bp_vk_device *d, bp_vk_commands *c, uint64_t timeout_ns) {
  VkResult status = bp_vk_submit(d, &c->buffer, 1, 0, 0, 0, c->done, ++c->runs);
  return status < 0 ? status : bp_vk_wait(d, c->done, c->runs, timeout_ns);
}

VkResult bp_vk_times(bp_vk_device *d, bp_vk_commands *c, uint64_t ticks[2]) {
  return note(d, d->GetQueryPoolResults(d->handle, c->queries, 0, 2, 16, ticks, 8, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
}
