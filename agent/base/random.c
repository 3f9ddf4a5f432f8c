#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/clock.h"

static uint64_t random_u64(void)
{
	uint64_t value = 0;
	/* At most 256 bytes come whole once the kernel's pool is ready; without it (a kernel that
	 * has just booted and was interrupted) jitter still must be some number. */
	while (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
		if (errno != EINTR)
			return (uint64_t)clock_monotonic_ms() * UINT64_C(0x9e3779b97f4a7c15);
	return value;
}

uint32_t random_u32(void)
{
	return (uint32_t)random_u64();
}

uint64_t random_below(uint64_t limit)
{
	return limit ? random_u64() % limit : 0;
}
