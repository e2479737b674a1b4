/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves the hashes against published values, since names hashed on one machine are compared on another.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <weft/hash.h>

static void fnv1a_gives_the_published_values(void)
{
	CU_ASSERT_EQUAL(weft_hash_string(""), UINT64_C(0xcbf29ce484222325));
	CU_ASSERT_EQUAL(weft_hash_string("a"), UINT64_C(0xaf63dc4c8601ec8c));
	CU_ASSERT_EQUAL(weft_hash_string("foobar"), UINT64_C(0x85944171f73967e8));
	CU_ASSERT_EQUAL(weft_hash_bytes("foobarbaz", 6), weft_hash_string("foobar"));
}

static void neighbouring_numbers_land_far_apart(void)
{
	for (uint64_t i = 0; i < 1000; i++) {
		int changed = __builtin_popcountll(weft_hash_u64(i) ^ weft_hash_u64(i + 1));

		CU_ASSERT_TRUE(changed > 8 && changed < 56);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(fnv1a_gives_the_published_values),
		SUITE_CASE(neighbouring_numbers_land_far_apart),
	};

	return suite_main("hash", cases, SUITE_COUNT(cases), argc, argv);
}
