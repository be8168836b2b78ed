// What the files of this folder share.
#ifndef BACKPLANE_VULKAN_INTERNAL_H
#define BACKPLANE_VULKAN_INTERNAL_H
#include "vulkan_calls.h"
#include <pthread.h>
#include <stdatomic.h>

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
  VkResult (*GetCalibratedTimestampsEXT)(VkDevice, uint32_t, const VkCalibratedTimestampInfoEXT *, uint64_t *, uint64_t *);
  VkResult (*GetMemoryHostPointerPropertiesEXT)(VkDevice, VkFlags, const void *, VkMemoryHostPointerPropertiesEXT *);
  DEVICE_FUNCTIONS(MEMBER)
};

// VK_KHR_cooperative_matrix, which many systems' headers do not have yet.
enum { MATRIX_FEATURES = 1000506000 };
typedef struct { VkStructureType sType; void *pNext; VkBool32 cooperativeMatrix, robustBufferAccess; } matrix_features;

// Remembers that the device is lost, if this says so, and gives the status on.
VkResult bp_vk_note(bp_vk_device *, VkResult);
#endif
