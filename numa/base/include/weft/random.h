/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers: a small seeded generator (xoshiro256**, Blackman and Vigna 2018, seeded by splitmix64) that makes
 * the same sequence everywhere, and the system's entropy for identities.
 */
#ifndef WEFT_RANDOM_H
#define WEFT_RANDOM_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

struct weft_random {
	uint64_t state[4];
};

/* Starts a sequence. Every seed is good, 0 too. Thread: owner. */
WEFT_API void weft_random_seed(struct weft_random *random, uint64_t seed);
/* The next 64 bits. Thread: owner. */
WEFT_API uint64_t weft_random_next(struct weft_random *random);
/* Uniform in [0, bound), without modulo bias (Lemire 2019); bound must not be 0. Thread: owner. */
WEFT_API uint64_t weft_random_below(struct weft_random *random, uint64_t bound);
/* Uniform in [0, 1). Thread: owner. */
WEFT_API double weft_random_unit(struct weft_random *random);

/* 64 bits of the system's entropy (getrandom). 0 or -WEFT_EIO. Thread: any. */
WEFT_API int weft_random_system(uint64_t *out);

WEFT_END_DECLS

#endif
