/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4 (Aumasson and Bernstein 2012).
 */
#include <weft/hash.h>

#include <endian.h>
#include <string.h>

struct state {
	uint64_t a, b, c, d;
};

static inline uint64_t rotate_left(uint64_t value, unsigned int bits)
{
	return (value << bits) | (value >> (64 - bits));
}

static inline void mix(struct state *state, unsigned int rounds)
{
	struct state s = *state;

	while (rounds--) {
		s.a += s.b;
		s.c += s.d;
		s.b = rotate_left(s.b, 13) ^ s.a;
		s.d = rotate_left(s.d, 16) ^ s.c;
		s.a = rotate_left(s.a, 32);
		s.c += s.b;
		s.a += s.d;
		s.b = rotate_left(s.b, 17) ^ s.c;
		s.d = rotate_left(s.d, 21) ^ s.a;
		s.c = rotate_left(s.c, 32);
	}
	*state = s;
}

static inline void absorb(struct state *state, uint64_t word)
{
	state->d ^= word;
	mix(state, 2);
	state->a ^= word;
}

uint64_t weft_siphash(const uint64_t key[2], const void *data, size_t len_bytes)
{
	const unsigned char *bytes = data;
	size_t tail_bytes = len_bytes % 8;
	uint64_t word, last = (uint64_t)len_bytes << 56;
	struct state state = {
		key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573),
	};

	for (size_t left = len_bytes / 8; left; left--, bytes += 8) {
		memcpy(&word, bytes, sizeof word);
		absorb(&state, le64toh(word));
	}
	for (size_t i = 0; i < tail_bytes; i++)
		last |= (uint64_t)bytes[i] << (8 * i);
	absorb(&state, last);
	state.c ^= 0xff;
	mix(&state, 4);
	return state.a ^ state.b ^ state.c ^ state.d;
}
