/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check sum of the Internet (RFC 1071), which is the same in either order of bytes as long as it is kept to.
 */
#include "dpdk/frame.h"

#include <string.h>

uint64_t weft__frame_sum(const void *bytes, size_t len_bytes, uint64_t sum)
{
	const uint8_t *at = bytes;
	uint8_t last[2] = {0, 0};
	uint32_t word;
	uint16_t half;

	for (; len_bytes >= sizeof word; len_bytes -= sizeof word, at += sizeof word) {
		memcpy(&word, at, sizeof word);
		sum += word;
	}
	if (len_bytes >= sizeof half) {
		memcpy(&half, at, sizeof half);
		sum += half;
		at += sizeof half;
		len_bytes -= sizeof half;
	}
	if (len_bytes) {
		last[0] = *at;
		memcpy(&half, last, sizeof half);
		sum += half;
	}
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t weft__frame_sum_end(uint64_t sum)
{
	return (uint16_t)~fold(sum);
}

uint64_t weft__frame_sum_pseudo(const uint8_t *head, uint8_t version, uint8_t protocol, uint32_t len_bytes)
{
	uint8_t rest[4] = {0, protocol, 0, 0};
	uint64_t sum = version == 4 ? weft__frame_sum(head + V4_FROM, 8, 0) : weft__frame_sum(head + V6_FROM, 32, 0);

	weft__put16(rest + 2, len_bytes);
	return weft__frame_sum(rest, sizeof rest, sum);
}
