// Functions of two elements; see shared/binary.glsl.
#version 460
#include "shared/binary.glsl"
