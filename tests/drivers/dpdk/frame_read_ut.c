/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that frames are understood, and that none that was altered, cut short or meant for another comes up. Each is read
 * from memory that ends where it does, so that a memory checker sees whoever reads on.
 */
#include "golden.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

/* Read by an end, from memory of just that length. */
static struct frame read_by(const struct frame_end *reader, const uint8_t *bytes, uint32_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct frame frame;

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, bytes, len);
	weft__frame_read(copy, len, reader, 0, &frame);
	free(copy);
	return frame;
}

static struct frame read_golden(const char *name, const struct frame_end *reader)
{
	uint8_t bytes[GOLDEN_MAX];

	return read_by(reader, bytes, golden_read(name, bytes));
}

static bool is_from(const struct frame *frame, const struct frame_end *end)
{
	return memcmp(&frame->from.host, &end->host, sizeof end->host) == 0 &&
	       memcmp(frame->from.mac, end->mac, FRAME_MAC_BYTES) == 0;
}

static void packets_come_up_with_who_sent_them_and_their_mark(void)
{
	struct frame frame = read_golden("udp4", &golden_him4);

	CU_ASSERT_EQUAL(frame.kind, FRAME_UDP);
	CU_ASSERT_TRUE(is_from(&frame, &golden_own4));
	CU_ASSERT_EQUAL(frame.from.port, 7000);
	CU_ASSERT_EQUAL(frame.ecn, 2);
	CU_ASSERT_EQUAL(frame.payload_at, FRAME_V4_HEAD_BYTES);
	CU_ASSERT_EQUAL(frame.payload_bytes, GOLDEN_PAYLOAD_BYTES);
	frame = read_golden("udp6", &golden_him6);
	CU_ASSERT_EQUAL(frame.kind, FRAME_UDP);
	CU_ASSERT_TRUE(is_from(&frame, &golden_own6));
	CU_ASSERT_EQUAL(frame.ecn, 3);
	CU_ASSERT_EQUAL(frame.payload_at, FRAME_V6_HEAD_BYTES);
	CU_ASSERT_EQUAL(frame.payload_bytes, GOLDEN_PAYLOAD_BYTES);
}

static void questions_and_answers_are_told_apart(void)
{
	static const struct {
		const char *name;
		const struct frame_end *reader, *from;
		enum frame_kind kind;
	} cases[] = {
		{"question4", &golden_him4, &golden_own4, FRAME_QUESTION},
		{"question4_him", &golden_him4, &golden_own4, FRAME_QUESTION},
		{"answer4", &golden_him4, &golden_own4, FRAME_ANSWER},
		{"announce4", &golden_him4, &golden_own4, FRAME_ANSWER},
		{"question6", &golden_him6, &golden_own6, FRAME_QUESTION},
		{"question6_him", &golden_him6, &golden_own6, FRAME_QUESTION},
		{"answer6", &golden_him6, &golden_own6, FRAME_ANSWER},
		{"announce6", &golden_him6, &golden_own6, FRAME_ANSWER},
	};

	for (unsigned int i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct frame frame = read_golden(cases[i].name, cases[i].reader);

		CU_ASSERT_EQUAL(frame.kind, cases[i].kind);
		CU_ASSERT_TRUE(is_from(&frame, cases[i].from));
	}
}

static void what_one_says_himself_is_nothing_to_him(void)
{
	static const char *const names[] = {"announce4", "answer4", "question4", "announce6", "answer6", "question6"};

	for (unsigned int i = 0; i < sizeof names / sizeof *names; i++)
		CU_ASSERT_EQUAL(read_golden(names[i], i < 3 ? &golden_own4 : &golden_own6).kind, FRAME_FOREIGN);
}

static void frames_for_others_are_foreign(void)
{
	struct frame_end other = golden_him4;

	CU_ASSERT_EQUAL(read_golden("udp4", &golden_him6).kind, FRAME_FOREIGN);
	other.port++;
	CU_ASSERT_EQUAL(read_golden("udp4", &other).kind, FRAME_FOREIGN);
	other = golden_him4;
	other.mac[5]++;
	CU_ASSERT_EQUAL(read_golden("udp4", &other).kind, FRAME_FOREIGN);
	other = golden_him4;
	other.host.bytes[3]++;
	CU_ASSERT_EQUAL(read_golden("udp4", &other).kind, FRAME_FOREIGN);
	CU_ASSERT_EQUAL(read_golden("question4", &other).kind, FRAME_FOREIGN);
	other = golden_him6;
	other.host.bytes[15]++;
	CU_ASSERT_EQUAL(read_golden("udp6", &other).kind, FRAME_FOREIGN);
	CU_ASSERT_EQUAL(read_golden("question6", &other).kind, FRAME_FOREIGN);
}

/* Also what somebody says of himself, to all. */
static void frames_of_the_other_ip_are_foreign(void)
{
	static const char *const of_4[] = {"udp4", "announce4", "answer4", "question4"};
	static const char *const of_6[] = {"udp6", "announce6", "answer6", "question6"};

	for (size_t i = 0; i < sizeof of_4 / sizeof *of_4; i++) {
		CU_ASSERT_EQUAL(read_golden(of_4[i], &golden_him6).kind, FRAME_FOREIGN);
		CU_ASSERT_EQUAL(read_golden(of_6[i], &golden_him4).kind, FRAME_FOREIGN);
	}
}

static void padding_is_no_payload(void)
{
	uint8_t bytes[GOLDEN_MAX];
	uint32_t len = golden_read("udp4", bytes);

	memset(bytes + len, 0xee, 20);
	CU_ASSERT_EQUAL(read_by(&golden_him4, bytes, len + 20).payload_bytes, GOLDEN_PAYLOAD_BYTES);
	len = golden_read("udp6", bytes);
	memset(bytes + len, 0xee, 20);
	CU_ASSERT_EQUAL(read_by(&golden_him6, bytes, len + 20).payload_bytes, GOLDEN_PAYLOAD_BYTES);
}

static void none_that_is_cut_short_comes_up(void)
{
	static const char *const names[] = {"udp4", "udp6", "question4", "announce4", "question6", "answer6"};

	for (unsigned int i = 0; i < sizeof names / sizeof *names; i++) {
		const struct frame_end *reader = strchr(names[i], '4') ? &golden_him4 : &golden_him6;
		uint8_t bytes[GOLDEN_MAX];
		uint32_t len = golden_read(names[i], bytes);

		for (uint32_t less = 1; less <= len; less++) {
			enum frame_kind kind = read_by(reader, bytes, len - less).kind;

			CU_ASSERT_TRUE(kind == FRAME_FOREIGN || kind == FRAME_BAD);
		}
	}
}

/* Of IPv6 the flow's label, the hops and the class are summed by nobody. */
static bool is_summed(const char *name, uint32_t at)
{
	return at >= FRAME_ETHER_BYTES + (strcmp(name, "udp4") == 0 ? 0u : (uint32_t)V6_FROM);
}

static void none_of_which_a_byte_was_altered_comes_up(void)
{
	static const char *const names[] = {"udp4", "udp6"};

	for (unsigned int i = 0; i < 2; i++) {
		const struct frame_end *reader = i == 0 ? &golden_him4 : &golden_him6;
		uint8_t bytes[GOLDEN_MAX];
		uint32_t len = golden_read(names[i], bytes);

		for (uint32_t at = 0; at < len * 8; at++) {
			bytes[at / 8] ^= (uint8_t)(1u << at % 8);
			if (is_summed(names[i], at / 8))
				CU_ASSERT_NOT_EQUAL(read_by(reader, bytes, len).kind, FRAME_UDP);
			bytes[at / 8] ^= (uint8_t)(1u << at % 8);
		}
	}
}

/* With a sum of IP's header that is right again. */
static void resum(uint8_t *bytes)
{
	uint8_t *ip = bytes + FRAME_ETHER_BYTES;
	uint16_t sum;

	memset(ip + V4_SUM, 0, 2);
	sum = weft__frame_sum_end(weft__frame_sum(ip, (ip[0] & 15u) * 4, 0));
	memcpy(ip + V4_SUM, &sum, sizeof sum);
}

static void fragments_and_what_has_no_sum_are_bad(void)
{
	uint8_t bytes[GOLDEN_MAX], *ip = bytes + FRAME_ETHER_BYTES;
	uint32_t len = golden_read("udp4", bytes);

	weft__put16(ip + V4_FRAGMENT, 0x2000);
	resum(bytes);
	CU_ASSERT_EQUAL(read_by(&golden_him4, bytes, len).kind, FRAME_BAD);
	weft__put16(ip + V4_FRAGMENT, 0x4001);
	resum(bytes);
	CU_ASSERT_EQUAL(read_by(&golden_him4, bytes, len).kind, FRAME_BAD);
	weft__put16(ip + V4_FRAGMENT, 0);
	resum(bytes);
	CU_ASSERT_EQUAL(read_by(&golden_him4, bytes, len).kind, FRAME_UDP);
	memset(ip + V4_BYTES + UDP_SUM, 0, 2);
	CU_ASSERT_EQUAL(read_by(&golden_him4, bytes, len).kind, FRAME_BAD);
}

static void options_of_ip_are_stepped_over(void)
{
	uint8_t bytes[GOLDEN_MAX], *ip = bytes + FRAME_ETHER_BYTES;
	uint32_t len = golden_read("udp4", bytes);
	struct frame frame;

	memmove(ip + V4_BYTES + 4, ip + V4_BYTES, len - FRAME_ETHER_BYTES - V4_BYTES);
	memset(ip + V4_BYTES, 1, 4);
	ip[0] = 0x46;
	weft__put16(ip + V4_LENGTH, len - FRAME_ETHER_BYTES + 4);
	resum(bytes);
	frame = read_by(&golden_him4, bytes, len + 4);
	CU_ASSERT_EQUAL(frame.kind, FRAME_UDP);
	CU_ASSERT_EQUAL(frame.payload_at, FRAME_V4_HEAD_BYTES + 4);
}

static void what_a_device_has_checked_is_not_checked_again(void)
{
	uint8_t bytes[GOLDEN_MAX];
	uint32_t len = golden_read("udp4", bytes);
	struct frame frame;

	bytes[len - 1] ^= 1;
	weft__frame_read(bytes, len, &golden_him4, FRAME_CHECKED_UDP, &frame);
	CU_ASSERT_EQUAL(frame.kind, FRAME_UDP);
	weft__frame_read(bytes, len, &golden_him4, FRAME_CHECKED_IP, &frame);
	CU_ASSERT_EQUAL(frame.kind, FRAME_BAD);
}

static void nobody_speaks_from_a_group(void)
{
	struct frame_end group = golden_own4;
	uint8_t bytes[GOLDEN_MAX];
	uint32_t len;

	group.host.bytes[0] = 224;
	len = weft__frame_write_head(bytes, &group, &golden_him4, 0, 0);
	weft__frame_seal(bytes, 4, 0);
	CU_ASSERT_EQUAL(read_by(&golden_him4, bytes, len).kind, FRAME_BAD);
	group = golden_own4;
	group.mac[0] |= 1;
	len = weft__frame_write_answer(bytes, &group, &golden_him4);
	CU_ASSERT_EQUAL(read_by(&golden_him4, bytes, len).kind, FRAME_FOREIGN);
}

static void who_is_beyond_a_router_says_nothing_of_hardware(void)
{
	uint8_t bytes[GOLDEN_MAX];
	uint32_t len = golden_read("answer6", bytes);

	bytes[FRAME_ETHER_BYTES + V6_HOPS]--;
	CU_ASSERT_EQUAL(read_by(&golden_him6, bytes, len).kind, FRAME_FOREIGN);
}

static void a_farewell_is_understood_by_its_own_words_only(void)
{
	uint8_t bytes[GOLDEN_MAX];
	uint32_t len = weft__frame_write_farewell(bytes, &golden_own4);

	CU_ASSERT_EQUAL(read_by(&golden_him4, bytes, len).kind, FRAME_FAREWELL);
	CU_ASSERT_EQUAL(read_by(&golden_him4, bytes, len - 1).kind, FRAME_FOREIGN);
	bytes[len - 1]++;
	CU_ASSERT_EQUAL(read_by(&golden_him4, bytes, len).kind, FRAME_FOREIGN);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(packets_come_up_with_who_sent_them_and_their_mark),
		SUITE_CASE(questions_and_answers_are_told_apart),
		SUITE_CASE(what_one_says_himself_is_nothing_to_him),
		SUITE_CASE(frames_for_others_are_foreign),
		SUITE_CASE(frames_of_the_other_ip_are_foreign),
		SUITE_CASE(padding_is_no_payload),
		SUITE_CASE(none_that_is_cut_short_comes_up),
		SUITE_CASE(none_of_which_a_byte_was_altered_comes_up),
		SUITE_CASE(fragments_and_what_has_no_sum_are_bad),
		SUITE_CASE(options_of_ip_are_stepped_over),
		SUITE_CASE(what_a_device_has_checked_is_not_checked_again),
		SUITE_CASE(nobody_speaks_from_a_group),
		SUITE_CASE(who_is_beyond_a_router_says_nothing_of_hardware),
		SUITE_CASE(a_farewell_is_understood_by_its_own_words_only),
	};

	return suite_main("frames that are read", cases, SUITE_COUNT(cases), argc, argv);
}
