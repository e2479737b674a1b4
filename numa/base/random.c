/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xoshiro256** and the system's entropy.
 */
#include <weft/errors.h>
#include <weft/hash.h>
#include <weft/random.h>

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static uint64_t rotate_left(uint64_t value, unsigned int bits)
{
	return (value << bits) | (value >> (64 - bits));
}

void weft_random_seed(struct weft_random *random, uint64_t seed)
{
	for (unsigned int i = 0; i < 4; i++)
		random->state[i] = weft_hash_u64(seed += UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t weft_random_next(struct weft_random *random)
{
	uint64_t *state = random->state;
	uint64_t result = rotate_left(state[1] * 5, 7) * 9;
	uint64_t shifted = state[1] << 17;

	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= shifted;
	state[3] = rotate_left(state[3], 45);
	return result;
}

uint64_t weft_random_below(struct weft_random *random, uint64_t bound)
{
	unsigned __int128 product = (unsigned __int128)weft_random_next(random) * bound;

	/* Only the low part below (2^64 mod bound) is biased. */
	if ((uint64_t)product < bound) {
		uint64_t threshold = -bound % bound;

		while ((uint64_t)product < threshold)
			product = (unsigned __int128)weft_random_next(random) * bound;
	}
	return (uint64_t)(product >> 64);
}

double weft_random_unit(struct weft_random *random)
{
	return (double)(weft_random_next(random) >> 11) * 0x1p-53;
}

int weft_random_system(uint64_t *out)
{
	uint64_t value;
	ssize_t got;

	do
		got = getrandom(&value, sizeof value, 0);
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof value)
		return weft_set_error(WEFT_EIO, "no entropy from getrandom: %s", strerror(errno));
	*out = value;
	return 0;
}
