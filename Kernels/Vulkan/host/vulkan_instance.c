// Vulkan's loader, instance and physical devices. The library is opened at run time: nothing here links it.
#include "internal.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Of VK_KHR_cooperative_matrix.
enum { MATRIX_PROPERTIES = 1000506001, MATRIX_FLOAT16 = 0, MATRIX_FLOAT32 = 1, MATRIX_SUBGROUP = 3 };
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

// Whether the device's clock and Linux's monotonic one can be read together.
static int has_clocks(const bp_vk_instance *i, VkPhysicalDevice d) {
  VkResult (*list)(VkPhysicalDevice, uint32_t *, int32_t *) = (void *)i->find(i->handle, "vkGetPhysicalDeviceCalibrateableTimeDomainsEXT");
  int32_t domains[16];
  uint32_t count = 16, found = 0;
  if (!list || list(d, &count, domains) < 0) return 0;
  for (uint32_t k = 0; k < count; k++) found |= domains[k] == VK_TIME_DOMAIN_DEVICE_EXT ? 1 : domains[k] == VK_TIME_DOMAIN_CLOCK_MONOTONIC_EXT ? 2 : 0;
  return found == 3;
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
  int clocks = has_extension(extensions, extension_count, "VK_EXT_calibrated_timestamps") && has_clocks(i, d);
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
    {(VkBool32)budget, BP_VK_BUDGET}, {(VkBool32)clocks, BP_VK_CALIBRATED}, {f12.hostQueryReset, BP_VK_QUERY_RESET},
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
