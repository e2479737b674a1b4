/* SPDX-License-Identifier: Apache-2.0 */
#include "path/packet.h"

#include "path/device.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>
#include <weft/errors.h>

static void a_packet_stands_as_the_page_says(void)
{
	/* docs/wire.md, version 2. A change of these bytes is a change of the version. */
	static const unsigned char golden[] = {
		0x00, 0x03, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, /* head, tag */
		0xf0, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12, /* path */
		0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* number */
		0x12, 0x07, 0x05, 0x00, 0x2a, 0x00, 0x00, 0x00,
		0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* message */
		'h',  'e',  'l',  'l',  'o',  0x00, 0x00, 0x00,
	};
	struct weft__packet_head head = {.steer = 3,
					 .form = WEFT__FORM_PATH,
					 .path = UINT64_C(0x123456789abcdef0),
					 .number = 9};
	unsigned char packet[sizeof golden] = {0};
	struct weft_net_piece piece = {.data = packet, .len_bytes = sizeof packet};

	weft__packet_head_write(&head, packet);
	weft__message_write(packet + WEFT__PACKET_HEAD, WEFT_CLASS_NORMAL, 7, 42, UINT64_C(0x1122334455667788), 5);
	memcpy(packet + WEFT__PACKET_HEAD + WEFT__MESSAGE_HEAD, "hello", 5);
	CU_ASSERT_EQUAL(memcmp(packet, golden, sizeof golden), 0);
	weft__packet_seal(packet, &piece, 1);
	CU_ASSERT_TRUE(weft__packet_intact(packet, sizeof packet));
	CU_ASSERT_EQUAL(memcmp(packet + 4, "\x4d\xc5\x9b\x73", 4), 0);
}

static void a_packet_can_say_that_its_sender_waits(void)
{
	struct weft__packet_head head = {.path = 1, .number = 2}, read;
	unsigned char packet[WEFT__PACKET_HEAD];

	weft__packet_head_write(&head, packet);
	CU_ASSERT_EQUAL_FATAL(weft__packet_head_read(packet, sizeof packet, &read), 0);
	CU_ASSERT_FALSE(read.hurry);
	weft__packet_hurry(packet);
	CU_ASSERT_EQUAL(packet[2], 0x28);
	CU_ASSERT_EQUAL_FATAL(weft__packet_head_read(packet, sizeof packet, &read), 0);
	CU_ASSERT_TRUE(read.hurry && read.form == WEFT__FORM_PATH && read.number == 2);
}

static void one_bit_that_was_altered_is_seen(void)
{
	struct weft__packet_head head = {.path = 1, .number = 2};
	unsigned char packet[64] = {0};
	struct weft_net_piece piece = {.data = packet, .len_bytes = sizeof packet};

	weft__packet_head_write(&head, packet);
	weft__packet_seal(packet, &piece, 1);
	for (unsigned int bit = 0; bit < 8 * sizeof packet; bit++) {
		packet[bit / 8] ^= (unsigned char)(1u << bit % 8);
		CU_ASSERT_FALSE(weft__packet_intact(packet, sizeof packet));
		packet[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
	CU_ASSERT_TRUE(weft__packet_intact(packet, sizeof packet));
}

static void a_seal_is_the_same_in_one_piece_and_in_three(void)
{
	struct weft__packet_head head = {.path = 5, .number = 6};
	unsigned char packet[200];
	struct weft_net_piece pieces[3] = {{.data = packet, .len_bytes = 40},
					   {.data = packet + 40, .len_bytes = 101},
					   {.data = packet + 141, .len_bytes = 59}};

	for (unsigned int i = 0; i < sizeof packet; i++)
		packet[i] = (unsigned char)(i * 7);
	weft__packet_head_write(&head, packet);
	weft__packet_seal(packet, pieces, 3);
	CU_ASSERT_TRUE(weft__packet_intact(packet, sizeof packet));
}

static void every_frame_is_read_as_it_was_written(void)
{
	unsigned char packet[256] = {0};
	uint32_t at = 0, end = 0;
	struct weft__frame frame;
	struct weft__ack ack;

	weft__plain_write(packet, WEFT__FRAME_PING, 0);
	end += WEFT__FRAME_HEAD;
	weft__large_write(packet + end, WEFT_CLASS_EXPRESS, 70, 11, 99, UINT64_C(1) << 33, 3, false);
	memcpy(packet + end + WEFT__LARGE_HEAD, "abc", 3);
	end += WEFT__LARGE_HEAD + 8;
	weft__chunk_write(packet + end, 70, 11, UINT64_C(1) << 33, 128, 5, true);
	memcpy(packet + end + WEFT__CHUNK_HEAD, "12345", 5);
	end += WEFT__CHUNK_HEAD + 8;
	weft__grant_write(packet + end, 70, 11, 4096);
	end += WEFT__GRANT_BYTES;
	weft__allow_write(packet + end, 3, 8192);
	end += WEFT__ALLOW_BYTES;
	weft__plain_write(packet + end, WEFT__FRAME_CLOSE, 71);
	end += WEFT__FRAME_HEAD;
	CU_ASSERT_EQUAL(weft__frame_read(packet, end, &at, &frame, &ack), 1);
	CU_ASSERT_EQUAL(frame.kind, WEFT__FRAME_PING);
	CU_ASSERT_EQUAL(weft__frame_read(packet, end, &at, &frame, &ack), 1);
	CU_ASSERT_TRUE(frame.kind == WEFT__FRAME_LARGE && frame.stream == 70 && frame.sequence == 11 &&
		       frame.meta == 99 && frame.total_bytes == UINT64_C(1) << 33 &&
		       frame.class_ == WEFT_CLASS_EXPRESS && frame.len_bytes == 3 && memcmp(frame.data, "abc", 3) == 0);
	CU_ASSERT_EQUAL(weft__frame_read(packet, end, &at, &frame, &ack), 1);
	CU_ASSERT_TRUE(frame.kind == WEFT__FRAME_CHUNK && frame.wants && frame.offset_bytes == 128 &&
		       frame.total_bytes == UINT64_C(1) << 33 && memcmp(frame.data, "12345", 5) == 0);
	CU_ASSERT_EQUAL(weft__frame_read(packet, end, &at, &frame, &ack), 1);
	CU_ASSERT_TRUE(frame.kind == WEFT__FRAME_GRANT && frame.offset_bytes == 4096 && frame.sequence == 11);
	CU_ASSERT_EQUAL(weft__frame_read(packet, end, &at, &frame, &ack), 1);
	CU_ASSERT_TRUE(frame.kind == WEFT__FRAME_ALLOW && frame.offset_bytes == 8192 && frame.sequence == 3);
	CU_ASSERT_EQUAL(weft__frame_read(packet, end, &at, &frame, &ack), 1);
	CU_ASSERT_TRUE(frame.kind == WEFT__FRAME_CLOSE && frame.sequence == 71);
	CU_ASSERT_EQUAL(weft__frame_read(packet, end, &at, &frame, &ack), 0);
}

static void acknowledgements_keep_the_newest_ranges_that_fit(void)
{
	struct weft__ack ack = {.delay_ns = 25000, .range_count = WEFT__ACK_RANGES_MAX}, read;
	unsigned char bytes[WEFT__ACK_MAX];
	struct weft__frame frame;
	uint32_t at = 0, len_bytes;

	for (unsigned int i = 0; i < WEFT__ACK_RANGES_MAX; i++) {
		ack.ranges[i].last = 1000 - 10 * i;
		ack.ranges[i].first = ack.ranges[i].last - i % 5;
	}
	len_bytes = weft__ack_write(bytes, sizeof bytes, &ack);
	CU_ASSERT_EQUAL(len_bytes, WEFT__ACK_MAX);
	CU_ASSERT_EQUAL(weft__frame_read(bytes, len_bytes, &at, &frame, &read), 1);
	CU_ASSERT_EQUAL(read.range_count, WEFT__ACK_RANGES_MAX);
	CU_ASSERT_EQUAL(memcmp(read.ranges, ack.ranges, sizeof ack.ranges), 0);
	CU_ASSERT_EQUAL(read.delay_ns, 25000);
	at = 0;
	len_bytes = weft__ack_write(bytes, WEFT__ACK_MIN + 20, &ack);
	CU_ASSERT_EQUAL(len_bytes, WEFT__ACK_MIN + 16);
	CU_ASSERT_EQUAL(weft__frame_read(bytes, len_bytes, &at, &frame, &read), 1);
	CU_ASSERT_EQUAL(read.range_count, 3);
	CU_ASSERT_EQUAL(read.ranges[2].last, 980);
}

static void what_is_no_frame_is_refused(void)
{
	unsigned char packet[64] = {0};
	struct weft__frame frame;
	struct weft__ack ack;
	uint32_t at = 0;

	CU_ASSERT_EQUAL(weft__frame_read(packet, sizeof packet, &at, &frame, &ack), -WEFT_EPROTO); /* kind 0 */
	weft__message_write(packet, 0, 0, 0, 0, 60);
	CU_ASSERT_EQUAL(weft__frame_read(packet, sizeof packet, &at, &frame, &ack), -WEFT_EPROTO); /* too long */
	packet[0] = WEFT__FRAME_ACK;
	packet[2] = 33;
	CU_ASSERT_EQUAL(weft__frame_read(packet, sizeof packet, &at, &frame, &ack), -WEFT_EPROTO);
	packet[2] = 0;
	CU_ASSERT_EQUAL(weft__frame_read(packet, sizeof packet, &at, &frame, &ack), -WEFT_EPROTO);
	packet[2] = 1;
	packet[16] = 1; /* one more before number 0 */
	CU_ASSERT_EQUAL(weft__frame_read(packet, sizeof packet, &at, &frame, &ack), -WEFT_EPROTO);
	weft__plain_write(packet, WEFT__FRAME_PING, 0);
	CU_ASSERT_EQUAL(weft__frame_read(packet, 7, &at, &frame, &ack), -WEFT_EPROTO);
	packet[2] = 9; /* a length, of what carries nothing */
	CU_ASSERT_EQUAL(weft__frame_read(packet, sizeof packet, &at, &frame, &ack), -WEFT_EPROTO);
	weft__grant_write(packet, 1, 0, 64);
	packet[2] = 17;
	CU_ASSERT_EQUAL(weft__frame_read(packet, sizeof packet, &at, &frame, &ack), -WEFT_EPROTO);
}

static void a_greeting_is_read_as_it_was_written(void)
{
	struct weft__greeting knock = {.form = WEFT__FORM_KNOCK,
				       .from_path = UINT64_C(77) << 32,
				       .incarnation = 88,
				       .steer = 9,
				       .has_cookie = true,
				       .hello = {.len_bytes = WEFT_HELLO_MAX}},
			      read;
	unsigned char packet[WEFT__KNOCK_BYTES];

	memset(knock.hello.bytes, 'h', WEFT_HELLO_MAX);
	memset(knock.cookie, 'c', sizeof knock.cookie);
	CU_ASSERT_EQUAL(weft__greeting_write(&knock, 0, packet), WEFT__KNOCK_BYTES);
	CU_ASSERT_EQUAL(weft__greeting_read(packet, sizeof packet, &read), 0);
	CU_ASSERT_TRUE(read.form == WEFT__FORM_KNOCK && read.from_path == UINT64_C(77) << 32 &&
		       read.incarnation == 88 && read.steer == 9 && read.has_cookie);
	CU_ASSERT_EQUAL(memcmp(&read.hello, &knock.hello, sizeof read.hello), 0);
	CU_ASSERT_EQUAL(weft__greeting_read(packet, sizeof packet - 1, &read), -WEFT_EPROTO);
	packet[100] ^= 1;
	CU_ASSERT_EQUAL(weft__greeting_read(packet, sizeof packet, &read), -WEFT_EPROTO);
	packet[2] = 0x11;
	CU_ASSERT_EQUAL(weft__greeting_read(packet, sizeof packet, &read), -WEFT_EVERSION);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_packet_stands_as_the_page_says),
		SUITE_CASE(a_packet_can_say_that_its_sender_waits),
		SUITE_CASE(one_bit_that_was_altered_is_seen),
		SUITE_CASE(a_seal_is_the_same_in_one_piece_and_in_three),
		SUITE_CASE(every_frame_is_read_as_it_was_written),
		SUITE_CASE(acknowledgements_keep_the_newest_ranges_that_fit),
		SUITE_CASE(what_is_no_frame_is_refused),
		SUITE_CASE(a_greeting_is_read_as_it_was_written),
	};

	return suite_main("path wire", cases, SUITE_COUNT(cases), argc, argv);
}
