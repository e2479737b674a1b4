/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pins what two processes share: a change that this test sees is a new WEFT__SHM_VERSION.
 */
#include "shm/ring.h"
#include "shm/wire.h"
#include "suite.h"

#include <CUnit/Basic.h>

static void the_layout_of_rings_is_version_3(void)
{
	CU_ASSERT_EQUAL(WEFT__SHM_VERSION, 4);
	CU_ASSERT_EQUAL(SHM_SLOT_BYTES, 64);
	CU_ASSERT_EQUAL(sizeof(struct shm_unit), 16);
	CU_ASSERT_EQUAL(offsetof(struct shm_unit, start), 0);
	CU_ASSERT_EQUAL(offsetof(struct shm_unit, meta), 8);
	CU_ASSERT_EQUAL(shm_start(0x11223344, SHM_LOAN, 0x55, 0x66), 0x0066550211223345);
	CU_ASSERT_EQUAL(sizeof(struct shm_loan), 24);
	CU_ASSERT_EQUAL(offsetof(struct shm_loan, segment_id), 0);
	CU_ASSERT_EQUAL(offsetof(struct shm_loan, loan_id), 4);
	CU_ASSERT_EQUAL(offsetof(struct shm_loan, offset_bytes), 8);
	CU_ASSERT_EQUAL(offsetof(struct shm_loan, len_bytes), 16);
	CU_ASSERT_EQUAL(sizeof(struct shm_head), 64);
	CU_ASSERT_EQUAL(sizeof(struct shm_armed), 64);
	CU_ASSERT_EQUAL(sizeof(struct shm_life), 8);
	CU_ASSERT_EQUAL(offsetof(struct shm_life, word), 0);
	CU_ASSERT_EQUAL(SHM_INLINE, 1);
	CU_ASSERT_EQUAL(SHM_LOAN, 2);
	CU_ASSERT_EQUAL(SHM_RELEASE, 3);
	CU_ASSERT_EQUAL(SHM_INLINE_MAX, 240);
	CU_ASSERT_EQUAL(SHM_LOAN_HEAD_MAX, 24);
	CU_ASSERT_EQUAL(SHM_RELEASES_MAX, 60);
}

static void the_layout_of_the_handshake_is_version_3(void)
{
	CU_ASSERT_EQUAL(SHM_WIRE_MAGIC, 0x54464557);
	CU_ASSERT_EQUAL(sizeof(struct shm_wire), 360);
	CU_ASSERT_EQUAL(offsetof(struct shm_wire, version), 4);
	CU_ASSERT_EQUAL(offsetof(struct shm_wire, type), 6);
	CU_ASSERT_EQUAL(offsetof(struct shm_wire, features), 8);
	CU_ASSERT_EQUAL(offsetof(struct shm_wire, error), 12);
	CU_ASSERT_EQUAL(offsetof(struct shm_wire, incarnation), 16);
	CU_ASSERT_EQUAL(offsetof(struct shm_wire, segment_len_bytes), 24);
	CU_ASSERT_EQUAL(offsetof(struct shm_wire, rings), 40);
	CU_ASSERT_EQUAL(offsetof(struct shm_wire, armed), 56);
	CU_ASSERT_EQUAL(offsetof(struct shm_wire, life), 72);
	CU_ASSERT_EQUAL(offsetof(struct shm_wire, slots), 88);
	CU_ASSERT_EQUAL(offsetof(struct shm_wire, hello_len_bytes), 96);
	CU_ASSERT_EQUAL(offsetof(struct shm_wire, hello), 104);
	CU_ASSERT_EQUAL(SHM_ATTACH, 1);
	CU_ASSERT_EQUAL(SHM_ACCEPT, 2);
	CU_ASSERT_EQUAL(SHM_REFUSE, 3);
	CU_ASSERT_EQUAL(SHM_SHARE, 4);
	CU_ASSERT_EQUAL(SHM_SHARED, 5);
	CU_ASSERT_EQUAL(SHM_BYE, 6);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(the_layout_of_rings_is_version_3),
		SUITE_CASE(the_layout_of_the_handshake_is_version_3),
	};

	return suite_main("shm layout", cases, SUITE_COUNT(cases), argc, argv);
}
