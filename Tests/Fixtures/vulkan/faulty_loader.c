/* A Vulkan loader that hands everything on to the machine's own, but for one fault at a time: what `bp_test_fault` says.
 * cc -shared -fPIC -I Kernels/Vulkan/host/include faulty_loader.c -o libfaulty.so */
#define _GNU_SOURCE
#include "vulkan_subset.h"
#include <dlfcn.h>
#include <string.h>
#include <time.h>

enum { NONE, NO_MEMORY, NO_PIPELINE, NO_SUBMIT, LOST, CLOCKS };
int bp_test_fault;
int bp_test_clocks; /* how often both clocks were read together */

static PFN_vkVoidFunction (*of_instance)(VkInstance, const char *);
static PFN_vkVoidFunction (*of_device)(VkDevice, const char *);
#define KEPT(result, name, ...) static result (*real_##name)(__VA_ARGS__);
KEPT(VkResult, AllocateMemory, VkDevice, const VkMemoryAllocateInfo *, const void *, VkDeviceMemory *)
KEPT(VkResult, CreateComputePipelines, VkDevice, VkPipelineCache, uint32_t, const VkComputePipelineCreateInfo *, const void *, VkPipeline *)
KEPT(VkResult, QueueSubmit, VkQueue, uint32_t, const VkSubmitInfo *, VkFence)
KEPT(VkResult, EnumerateDeviceExtensionProperties, VkPhysicalDevice, const char *, uint32_t *, VkExtensionProperties *)
KEPT(VkResult, CreateDevice, VkPhysicalDevice, const VkDeviceCreateInfo *, const void *, VkDevice *)

static VkResult AllocateMemory(VkDevice d, const VkMemoryAllocateInfo *info, const void *a, VkDeviceMemory *out) {
  return bp_test_fault == NO_MEMORY ? VK_ERROR_OUT_OF_DEVICE_MEMORY : real_AllocateMemory(d, info, a, out);
}
static VkResult CreateComputePipelines(VkDevice d, VkPipelineCache c, uint32_t n, const VkComputePipelineCreateInfo *info, const void *a, VkPipeline *out) {
  return bp_test_fault == NO_PIPELINE ? VK_ERROR_OUT_OF_HOST_MEMORY : real_CreateComputePipelines(d, c, n, info, a, out);
}
static VkResult QueueSubmit(VkQueue q, uint32_t n, const VkSubmitInfo *info, VkFence f) {
  if (bp_test_fault == NO_SUBMIT) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
  return bp_test_fault == LOST ? VK_ERROR_DEVICE_LOST : real_QueueSubmit(q, n, info, f);
}

// VK_EXT_calibrated_timestamps on top of a driver whose device ticks are the monotonic clock's nanoseconds.
static const char clocks[] = "VK_EXT_calibrated_timestamps";
static VkResult EnumerateDeviceExtensionProperties(VkPhysicalDevice d, const char *layer, uint32_t *n, VkExtensionProperties *list) {
  if (bp_test_fault != CLOCKS) return real_EnumerateDeviceExtensionProperties(d, layer, n, list);
  if (list) *n -= 1;
  VkResult status = real_EnumerateDeviceExtensionProperties(d, layer, n, list);
  if (list && status >= 0) list[*n] = (VkExtensionProperties){.specVersion = 2}, memcpy(list[*n].extensionName, clocks, sizeof clocks);
  *n += 1;
  return status;
}
static VkResult CreateDevice(VkPhysicalDevice d, const VkDeviceCreateInfo *info, const void *a, VkDevice *out) {
  VkDeviceCreateInfo copy = *info;
  const char *names[16];
  copy.enabledExtensionCount = 0, copy.ppEnabledExtensionNames = names;
  for (uint32_t i = 0; i < info->enabledExtensionCount; i++)
    if (bp_test_fault != CLOCKS || strcmp(info->ppEnabledExtensionNames[i], clocks)) names[copy.enabledExtensionCount++] = info->ppEnabledExtensionNames[i];
  return real_CreateDevice(d, &copy, a, out);
}
static VkResult GetPhysicalDeviceCalibrateableTimeDomainsEXT(VkPhysicalDevice d, uint32_t *n, int32_t *domains) {
  (void)d;
  domains[0] = VK_TIME_DOMAIN_DEVICE_EXT, domains[1] = VK_TIME_DOMAIN_CLOCK_MONOTONIC_EXT, *n = 2;
  return VK_SUCCESS;
}
static VkResult GetCalibratedTimestampsEXT(VkDevice d, uint32_t n, const VkCalibratedTimestampInfoEXT *wanted, uint64_t *times, uint64_t *deviation) {
  (void)d, (void)wanted;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  for (uint32_t i = 0; i < n; i++) times[i] = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  *deviation = 77, bp_test_clocks++;
  return VK_SUCCESS;
}

#define OWN(name) if (!strcmp(which, "vk" #name)) return (PFN_vkVoidFunction)name;
#define WRAPPED(name) if (!strcmp(which, "vk" #name)) { memcpy(&real_##name, &found, sizeof found); return (PFN_vkVoidFunction)name; }
static PFN_vkVoidFunction device_function(VkDevice d, const char *which) {
  PFN_vkVoidFunction found = of_device(d, which);
  WRAPPED(AllocateMemory)
  WRAPPED(CreateComputePipelines)
  WRAPPED(QueueSubmit)
  if (bp_test_fault == CLOCKS) OWN(GetCalibratedTimestampsEXT)
  return found;
}
PFN_vkVoidFunction vkGetInstanceProcAddr(VkInstance i, const char *which) {
  if (!of_instance) {
    void *symbol = dlsym(dlopen("libvulkan.so.1", RTLD_NOW), "vkGetInstanceProcAddr");
    memcpy(&of_instance, &symbol, sizeof symbol);
  }
  PFN_vkVoidFunction found = of_instance(i, which);
  if (!strcmp(which, "vkGetDeviceProcAddr")) {
    memcpy(&of_device, &found, sizeof found);
    return (PFN_vkVoidFunction)device_function;
  }
  WRAPPED(EnumerateDeviceExtensionProperties)
  WRAPPED(CreateDevice)
  if (bp_test_fault == CLOCKS) OWN(GetPhysicalDeviceCalibrateableTimeDomainsEXT)
  return found;
}
