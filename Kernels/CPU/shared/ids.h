// Ids of the element formats that these kernels tell apart: FNV-1a-64 of the name.
#ifndef BACKPLANE_CPU_IDS_H
#define BACKPLANE_CPU_IDS_H
#define BP_FORMAT_F32 0xdd635018ff703544ull
#define BP_FORMAT_F16 0xdd5c4c18ff6a0fcaull
#define BP_FORMAT_BF16 0x907f899ba44bff4aull
#define BP_FORMAT_F64 0xdd744c18ff7ea1abull
#define BP_FORMAT_I8 0x08b70a07b55bfd94ull
#define BP_FORMAT_U8 0x08c48207b56753d8ull
#define BP_FORMAT_I16 0x2aebbf192b3b86fbull
#define BP_FORMAT_I32 0x2af2b3192b419145ull
#define BP_FORMAT_I64 0x2ae1af192b331746ull
#define BP_FORMAT_BOOL 0xcd2fd49bc6b014bdull
#define BP_FORMAT_Q4_0 0xea5dba067313912full
#define BP_FORMAT_Q8_0 0xc6569e065e47ba9bull
#endif
