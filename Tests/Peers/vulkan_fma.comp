// Sixteen chains of multiplications and additions an item: what a driver's arithmetic reaches without memory (vulkan_ops.c runs it).
#version 460
#include "shared/values.glsl"

ARGUMENTS { uint64_t y; };

void main() {
  vec4 a = vec4(1.0), b = vec4(2.0), c = vec4(3.0), d = vec4(4.0), x = vec4(float(gl_LocalInvocationID.x));
  for (uint i = 0u; i < 100000u; i++) {
    a = a * x + x;
    b = b * x + x;
    c = c * x + x;
    d = d * x + x;
  }
  AtFloat(y + uint64_t(4u * gl_GlobalInvocationID.x)).v = dot(a + b + c + d, vec4(1.0));
}
