// y = a^b: binary.comp with doubles, which not every device has.
#version 460
#define POW
#include "shared/binary.glsl"
