/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves the keyed hash against the values of its authors' reference implementation, and that every bit of key, data
 * and length matters.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <weft/hash.h>

/* The reference's key and data: 0, 1, 2 and so on. */
static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
static const unsigned char data[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void it_gives_the_values_of_the_reference(void)
{
	static const uint64_t right[] = {
		UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd), UINT64_C(0x0d6c8009d9a94f5a),
		UINT64_C(0x85676696d7fb7e2d), UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
		UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137), UINT64_C(0x93f5f5799a932462),
	};

	for (size_t len_bytes = 0; len_bytes < sizeof right / sizeof *right; len_bytes++)
		CU_ASSERT_EQUAL(weft_siphash(key, data, len_bytes), right[len_bytes]);
	CU_ASSERT_EQUAL(weft_siphash(key, data, 15), UINT64_C(0xa129ca6149be45e5));
}

static void every_bit_of_the_key_matters(void)
{
	uint64_t value = weft_siphash(key, data, sizeof data);

	for (unsigned int bit = 0; bit < 128; bit++) {
		uint64_t other[2] = {key[0], key[1]};

		other[bit / 64] ^= UINT64_C(1) << bit % 64;
		CU_ASSERT_TRUE(__builtin_popcountll(weft_siphash(other, data, sizeof data) ^ value) > 8);
	}
}

static void every_bit_of_the_data_matters(void)
{
	for (size_t len_bytes = 1; len_bytes <= sizeof data; len_bytes++) {
		uint64_t value = weft_siphash(key, data, len_bytes);

		for (unsigned int bit = 0; bit < 8 * len_bytes; bit++) {
			unsigned char other[sizeof data];

			for (size_t i = 0; i < sizeof data; i++)
				other[i] = data[i];
			other[bit / 8] ^= (unsigned char)(1u << bit % 8);
			CU_ASSERT_NOT_EQUAL(weft_siphash(key, other, len_bytes), value);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(it_gives_the_values_of_the_reference),
		SUITE_CASE(every_bit_of_the_key_matters),
		SUITE_CASE(every_bit_of_the_data_matters),
	};

	return suite_main("siphash", cases, SUITE_COUNT(cases), argc, argv);
}
