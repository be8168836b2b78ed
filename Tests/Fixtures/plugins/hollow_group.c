/* Claims group Queues and has none of its functions. */
#define NAME "hollow_group"
#define GROUPS (BP_GROUP_BASE | BP_GROUP_QUEUES)
#include "fixture.h"
