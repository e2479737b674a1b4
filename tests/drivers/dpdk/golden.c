/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading golden frames.
 */
#include "golden.h"

#include <stdio.h>

#define MAC(last)                    \
	{                            \
		2, 0, 10, 9, 0, last \
	}
const struct frame_end golden_own4 = {.host = {4, {10, 9, 0, 1}}, .mac = MAC(1), .port = 7000};
const struct frame_end golden_him4 = {.host = {4, {10, 9, 0, 2}}, .mac = MAC(2), .port = 7001};
const struct frame_end golden_own6 = {.host = {6, {0xfd, 0, 0, 9, [15] = 1}}, .mac = MAC(1), .port = 7000};
const struct frame_end golden_him6 = {.host = {6, {0xfd, 0, 0, 9, [13] = 0xab, [14] = 0xcd, [15] = 0xef}},
				      .mac = MAC(2),
				      .port = 7001};
const char golden_payload[] = "\0\1weft golden";

uint32_t golden_read(const char *name, uint8_t out[GOLDEN_MAX])
{
	char path[512];
	unsigned int byte;
	uint32_t len = 0;
	FILE *file;

	snprintf(path, sizeof path, "%s/%s.hex", WEFT_TEST_GOLDEN, name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (len < GOLDEN_MAX && fscanf(file, "%2x", &byte) == 1)
		out[len++] = (uint8_t)byte;
	fclose(file);
	return len;
}
