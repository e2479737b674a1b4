/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes may come as a frame. What is said of them lies inside of them; who asks gets an answer that he understands.
 * The first byte says for which IP, and what a device has checked.
 */
#include "dpdk/frame.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static const struct frame_end owns[2] = {
	{.host = {4, {10, 9, 0, 1}}, .mac = {2, 0, 10, 9, 0, 1}, .port = 7000},
	{.host = {6, {0xfd, 0, 0, 9, [15] = 1}}, .mac = {2, 0, 10, 9, 0, 1}, .port = 7000},
};

/* He who asked is told by a frame that is for him. */
static void check_answer(const struct frame_end *own, const struct frame *question)
{
	uint8_t bytes[FRAME_NEIGHBOUR_MAX];
	uint32_t len = weft__frame_write_answer(bytes, own, &question->from);
	struct frame answer;

	if (len > sizeof bytes)
		abort();
	weft__frame_read(bytes, len, &question->from, 0, &answer);
	if (answer.kind != FRAME_ANSWER || memcmp(&answer.from.host, &own->host, sizeof own->host) != 0 ||
	    memcmp(answer.from.mac, own->mac, FRAME_MAC_BYTES) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	const struct frame_end *own;
	struct frame frame;
	uint8_t *bytes;

	if (len_bytes < 1 || len_bytes > UINT16_MAX)
		return 0;
	own = &owns[data[0] & 1];
	bytes = malloc(len_bytes);
	if (!bytes)
		return 0;
	memcpy(bytes, data + 1, len_bytes - 1);
	weft__frame_read(bytes, (uint32_t)len_bytes - 1, own, (data[0] >> 1) & 3u, &frame);
	free(bytes);
	if (frame.kind > FRAME_FAREWELL)
		abort();
	if (frame.kind == FRAME_UDP && (frame.payload_at > len_bytes - 1 ||
					frame.payload_bytes > len_bytes - 1 - frame.payload_at || frame.ecn > 3))
		abort();
	if (frame.kind >= FRAME_UDP && frame.kind <= FRAME_ANSWER && frame.from.host.version != own->host.version)
		abort();
	if (frame.kind == FRAME_QUESTION)
		check_answer(own, &frame);
	return 0;
}
