/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves the checksum against the values of RFC 3720, and that each way to compute it gives what the definition gives,
 * for any length, alignment and division into pieces. Prints its seed; give one in WEFT_TEST_SEED to repeat it.
 */
#include "crc32c_private.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/crc32c.h>
#include <weft/random.h>

static unsigned char bytes[16384];

/* By the definition, bit by bit. */
static uint32_t divide(uint32_t state, const unsigned char *data, size_t len_bytes)
{
	for (; len_bytes; data++, len_bytes--) {
		state ^= *data;
		for (int bit = 0; bit < 8; bit++)
			state = (state >> 1) ^ (state & 1 ? 0x82f63b78 : 0);
	}
	return state;
}

static void it_gives_the_values_of_rfc_3720(void)
{
	static const unsigned char read_command[48] = {
		0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
		0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0,    0,
	};
	unsigned char data[32];

	memset(data, 0, sizeof data);
	CU_ASSERT_EQUAL(weft_crc32c(0, data, sizeof data), 0x8a9136aa);
	memset(data, 0xff, sizeof data);
	CU_ASSERT_EQUAL(weft_crc32c(0, data, sizeof data), 0x62a8ab43);
	for (unsigned char i = 0; i < 32; i++)
		data[i] = i;
	CU_ASSERT_EQUAL(weft_crc32c(0, data, sizeof data), 0x46dd794e);
	for (unsigned char i = 0; i < 32; i++)
		data[i] = 31 - i;
	CU_ASSERT_EQUAL(weft_crc32c(0, data, sizeof data), 0x113fdb5c);
	CU_ASSERT_EQUAL(weft_crc32c(0, read_command, sizeof read_command), 0xd9963a56);
	CU_ASSERT_EQUAL(weft_crc32c(0, "123456789", 9), 0xe3069283);
	CU_ASSERT_EQUAL(weft_crc32c(0, NULL, 0), 0);
}

static void fill_bytes(struct weft_random *random)
{
	const char *given = getenv("WEFT_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : 0;

	if (!given)
		weft_random_system(&seed);
	printf("seed %#llx ", (unsigned long long)seed);
	weft_random_seed(random, seed);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)weft_random_next(random);
}

static void all_ways_give_what_the_definition_gives(void)
{
	struct weft_random random;
	unsigned int wrong = 0;

	fill_bytes(&random);
	for (size_t len = 0; len < 2000; len++) {
		size_t at = weft_random_below(&random, 64);
		/* All short lengths, and long ones too. */
		size_t len_bytes = len < 1000 ? len : weft_random_below(&random, sizeof bytes - at);
		uint32_t state = (uint32_t)weft_random_next(&random);
		uint32_t right = divide(state, bytes + at, len_bytes);

		wrong += weft__crc32c_tables(state, bytes + at, len_bytes) != right;
		if (weft__crc32c_has_hardware())
			wrong += weft__crc32c_hardware(state, bytes + at, len_bytes) != right;
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void pieces_give_what_the_whole_gives(void)
{
	struct weft_random random;
	uint32_t whole;
	unsigned int wrong = 0;

	fill_bytes(&random);
	whole = weft_crc32c(0, bytes, sizeof bytes);
	CU_ASSERT_EQUAL(whole, ~divide(~0u, bytes, sizeof bytes));
	for (unsigned int round = 0; round < 100; round++) {
		uint32_t crc = 0;

		for (size_t at = 0, len_bytes; at < sizeof bytes; at += len_bytes) {
			len_bytes = weft_random_below(&random, sizeof bytes - at + 1);
			crc = weft_crc32c(crc, bytes + at, len_bytes);
		}
		wrong += crc != whole;
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void a_changed_bit_is_seen(void)
{
	uint32_t before;
	unsigned int unseen = 0;

	memset(bytes, 0x5a, 1500);
	before = weft_crc32c(0, bytes, 1500);
	for (unsigned int bit = 0; bit < 1500 * 8; bit++) {
		bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
		unseen += weft_crc32c(0, bytes, 1500) == before;
		bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
	CU_ASSERT_EQUAL(unseen, 0);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(it_gives_the_values_of_rfc_3720),
		SUITE_CASE(all_ways_give_what_the_definition_gives),
		SUITE_CASE(pieces_give_what_the_whole_gives),
		SUITE_CASE(a_changed_bit_is_seen),
	};

	return suite_main("crc32c", cases, SUITE_COUNT(cases), argc, argv);
}
