/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets and greetings as strangers may send them: whatever is read lies within the packet, and what was read is
 * written as it came.
 */
#include "fuzz.h"
#include "path/device.h"

#include <stdlib.h>
#include <string.h>
#include <weft/assert.h>

static void check_ack(const struct weft__ack *ack)
{
	unsigned char bytes[WEFT__ACK_MAX];
	struct weft__frame frame;
	struct weft__ack again;
	uint32_t at = 0, len_bytes = weft__ack_write(bytes, sizeof bytes, ack);

	WEFT_ASSERT(weft__frame_read(bytes, len_bytes, &at, &frame, &again) == 1);
	WEFT_ASSERT(again.range_count == ack->range_count && at == len_bytes);
	for (unsigned int i = 0; i < ack->range_count; i++) {
		WEFT_ASSERT(again.ranges[i].first == ack->ranges[i].first &&
			    again.ranges[i].last == ack->ranges[i].last);
		WEFT_ASSERT(ack->ranges[i].first <= ack->ranges[i].last);
		WEFT_ASSERT(!i || ack->ranges[i].last + 1 < ack->ranges[i - 1].first);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	unsigned char *packet = malloc(len_bytes ? len_bytes : 1); /* of its exact length: reading beyond is seen */
	struct weft__packet_head head;
	struct weft__greeting greeting;
	struct weft__frame frame;
	struct weft__ack ack;
	uint32_t at = 0;

	WEFT_ASSERT(packet != NULL);
	if (len_bytes)
		memcpy(packet, data, len_bytes);
	if (weft__packet_head_read(packet, len_bytes, &head) == 0)
		(void)weft__packet_intact(packet, len_bytes);
	if (weft__greeting_read(packet, len_bytes, &greeting) == 0)
		WEFT_ASSERT(greeting.hello.len_bytes <= WEFT_HELLO_MAX);
	while (len_bytes < UINT32_MAX && weft__frame_read(packet, (uint32_t)len_bytes, &at, &frame, &ack) == 1) {
		WEFT_ASSERT(at <= len_bytes);
		if (frame.kind == WEFT__FRAME_ACK)
			check_ack(&ack);
		else
			WEFT_ASSERT(frame.data >= packet && frame.data + frame.len_bytes <= packet + len_bytes);
	}
	free(packet);
	return 0;
}
