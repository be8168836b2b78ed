#ifndef CPU_KERNELS_H
#define CPU_KERNELS_H
#include "backplane_plugin.h"
#endif
