/* random.h - unpredictable numbers for names and jitter; keys come from OpenSSL, not from here. */
#ifndef ORIGIN_CA_BASE_RANDOM_H
#define ORIGIN_CA_BASE_RANDOM_H

#include <stdint.h>

uint32_t random_u32(void);

/* A number from 0 to limit - 1; 0 when limit is 0. */
uint64_t random_below(uint64_t limit);

#endif
