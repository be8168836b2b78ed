// The kernels of matmul_integer.h for any processor.
#define VARIANT(name) name##_scalar
#define VARIANT_NAME(name) name "_scalar"
#define VARIANT_NEEDS 0
#include "matmul_integer.h"
