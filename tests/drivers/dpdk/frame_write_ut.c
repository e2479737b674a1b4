/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pins what is sent byte by byte: it is what stands in golden/, whose check sums were reckoned by another program.
 */
#include "golden.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

/* Whether these are the bytes of a golden frame. */
static bool is_golden(const char *name, const uint8_t *bytes, uint32_t len)
{
	uint8_t golden[GOLDEN_MAX];
	uint32_t golden_len = golden_read(name, golden);

	if (golden_len == len && memcmp(golden, bytes, len) == 0)
		return true;
	printf("\n\t%s: %u bytes, golden %u, first difference at ", name, len, golden_len);
	for (uint32_t i = 0; i < len && i < golden_len; i++) {
		if (bytes[i] != golden[i]) {
			printf("%u ", i);
			break;
		}
	}
	return false;
}

static uint32_t write_udp(uint8_t *bytes, const struct frame_end *from, const struct frame_end *to, uint8_t ecn)
{
	uint32_t head = weft__frame_write_head(bytes, from, to, ecn, GOLDEN_PAYLOAD_BYTES);

	memcpy(bytes + head, golden_payload, GOLDEN_PAYLOAD_BYTES);
	return head + GOLDEN_PAYLOAD_BYTES;
}

static void packets_are_as_they_always_were(void)
{
	uint8_t bytes[GOLDEN_MAX];
	uint32_t len = write_udp(bytes, &golden_own4, &golden_him4, 2);

	CU_ASSERT_EQUAL(len, FRAME_V4_HEAD_BYTES + GOLDEN_PAYLOAD_BYTES);
	weft__frame_seal(bytes, 4, GOLDEN_PAYLOAD_BYTES);
	CU_ASSERT_TRUE(is_golden("udp4", bytes, len));
	len = write_udp(bytes, &golden_own6, &golden_him6, 3);
	CU_ASSERT_EQUAL(len, FRAME_V6_HEAD_BYTES + GOLDEN_PAYLOAD_BYTES);
	weft__frame_seal(bytes, 6, GOLDEN_PAYLOAD_BYTES);
	CU_ASSERT_TRUE(is_golden("udp6", bytes, len));
}

/* What a device does: it sums what is in UDP, with what it finds in the place of the sum. */
static void what_a_device_sums_comes_out_the_same(void)
{
	static const struct {
		const struct frame_end *from, *to;
		const char *name;
		uint8_t ecn;
	} cases[] = {{&golden_own4, &golden_him4, "udp4", 2}, {&golden_own6, &golden_him6, "udp6", 3}};

	for (unsigned int i = 0; i < 2; i++) {
		uint8_t version = cases[i].from->host.version, bytes[GOLDEN_MAX];
		uint32_t len = write_udp(bytes, cases[i].from, cases[i].to, cases[i].ecn);
		uint8_t *udp = bytes + FRAME_ETHER_BYTES + (version == 4 ? V4_BYTES : V6_BYTES);
		uint16_t sum;

		weft__frame_seal_by_device(bytes, version, GOLDEN_PAYLOAD_BYTES);
		sum = weft__frame_sum_end(weft__frame_sum(udp, UDP_BYTES + GOLDEN_PAYLOAD_BYTES, 0));
		memcpy(udp + UDP_SUM, &sum, sizeof sum);
		CU_ASSERT_TRUE(is_golden(cases[i].name, bytes, len));
	}
}

static void questions_and_answers_are_as_they_always_were(void)
{
	uint8_t bytes[GOLDEN_MAX];

	CU_ASSERT_TRUE(is_golden("question4", bytes,
				 weft__frame_write_question(bytes, &golden_own4, &golden_him4.host, NULL)));
	CU_ASSERT_TRUE(is_golden("question4_him", bytes,
				 weft__frame_write_question(bytes, &golden_own4, &golden_him4.host, golden_him4.mac)));
	CU_ASSERT_TRUE(is_golden("answer4", bytes, weft__frame_write_answer(bytes, &golden_own4, &golden_him4)));
	CU_ASSERT_TRUE(is_golden("announce4", bytes, weft__frame_write_answer(bytes, &golden_own4, NULL)));
	CU_ASSERT_TRUE(is_golden("question6", bytes,
				 weft__frame_write_question(bytes, &golden_own6, &golden_him6.host, NULL)));
	CU_ASSERT_TRUE(is_golden("question6_him", bytes,
				 weft__frame_write_question(bytes, &golden_own6, &golden_him6.host, golden_him6.mac)));
	CU_ASSERT_TRUE(is_golden("answer6", bytes, weft__frame_write_answer(bytes, &golden_own6, &golden_him6)));
	CU_ASSERT_TRUE(is_golden("announce6", bytes, weft__frame_write_answer(bytes, &golden_own6, NULL)));
}

/* Of all payloads of two bytes, one sums up to what would say that there is no sum. */
static void a_sum_of_nothing_is_never_written(void)
{
	unsigned int all_ones = 0;

	for (uint32_t i = 0; i <= UINT16_MAX; i++) {
		uint8_t bytes[GOLDEN_MAX];
		uint32_t head = weft__frame_write_head(bytes, &golden_own4, &golden_him4, 0, 2);
		struct frame frame;

		weft__put16(bytes + head, i);
		weft__frame_seal(bytes, 4, 2);
		all_ones += weft__get16(bytes + head - UDP_BYTES + UDP_SUM) == 0xffff;
		if (weft__get16(bytes + head - UDP_BYTES + UDP_SUM) == 0)
			CU_FAIL_FATAL("a sum of 0");
		weft__frame_read(bytes, head + 2, &golden_him4, 0, &frame);
		if (frame.kind != FRAME_UDP)
			CU_FAIL_FATAL("not understood");
	}
	CU_ASSERT_EQUAL(all_ones, 1);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(packets_are_as_they_always_were),
		SUITE_CASE(what_a_device_sums_comes_out_the_same),
		SUITE_CASE(questions_and_answers_are_as_they_always_were),
		SUITE_CASE(a_sum_of_nothing_is_never_written),
	};

	return suite_main("written frames", cases, SUITE_COUNT(cases), argc, argv);
}
