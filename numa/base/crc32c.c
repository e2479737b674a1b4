/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C: which way it is computed, and the way by tables, 8 bytes at a time ("slicing", Kounavis and Berry 2008).
 */
#include "crc32c_private.h"

#include <weft/crc32c.h>

#include <endian.h>
#include <stdatomic.h>
#include <string.h>

/* A table is linear: what belongs to a byte is the sum, by xor, of what belongs to its bits, lowest bit first. */
#define TABLE_1(x, a) (x), (x) ^ (a)
#define TABLE_2(x, a, b) TABLE_1(x, a), TABLE_1((x) ^ (b), a)
#define TABLE_3(x, a, b, c) TABLE_2(x, a, b), TABLE_2((x) ^ (c), a, b)
#define TABLE_4(x, a, b, c, d) TABLE_3(x, a, b, c), TABLE_3((x) ^ (d), a, b, c)
#define TABLE_5(x, a, b, c, d, e) TABLE_4(x, a, b, c, d), TABLE_4((x) ^ (e), a, b, c, d)
#define TABLE_6(x, a, b, c, d, e, f) TABLE_5(x, a, b, c, d, e), TABLE_5((x) ^ (f), a, b, c, d, e)
#define TABLE_7(x, a, b, c, d, e, f, g) TABLE_6(x, a, b, c, d, e, f), TABLE_6((x) ^ (g), a, b, c, d, e, f)
#define TABLE(a, b, c, d, e, f, g, h)                                                         \
	{                                                                                     \
		TABLE_7(0u, a, b, c, d, e, f, g), TABLE_7((uint32_t)(h), a, b, c, d, e, f, g) \
	}

/* tables[n][byte]: what a byte leaves behind when n more have followed it. */
static const uint32_t tables[8][256] = {
	TABLE(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78),
	TABLE(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604, 0xfbc3faf9),
	TABLE(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9, 0x8b277743),
	TABLE(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7, 0x52a0c93f),
	TABLE(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae, 0x6ea2d55c),
	TABLE(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb, 0x1c08b7d6),
	TABLE(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4),
	TABLE(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32, 0x34019664),
};

uint32_t weft__crc32c_tables(uint32_t state, const void *data, size_t len_bytes)
{
	const unsigned char *bytes = data;

	for (; len_bytes >= 8; bytes += 8, len_bytes -= 8) {
		uint64_t word;

		memcpy(&word, bytes, sizeof word);
		word = le64toh(word) ^ state;
		state = 0;
		for (unsigned int i = 0; i < 8; i++)
			state ^= tables[7 - i][(word >> (8 * i)) & 0xff];
	}
	for (; len_bytes; bytes++, len_bytes--)
		state = (state >> 8) ^ tables[0][(state ^ *bytes) & 0xff];
	return state;
}

static bool use_hardware(void)
{
	static _Atomic(unsigned char) known; /* 0: not yet, 1: no, 2: yes */
	unsigned char value = atomic_load_explicit(&known, memory_order_relaxed);

	if (!value) {
		value = weft__crc32c_has_hardware() ? 2 : 1;
		atomic_store_explicit(&known, value, memory_order_relaxed);
	}
	return value == 2;
}

uint32_t weft_crc32c(uint32_t crc, const void *data, size_t len_bytes)
{
	return ~(use_hardware() ? weft__crc32c_hardware : weft__crc32c_tables)(~crc, data, len_bytes);
}
