/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text may stand in WEFT_DPDK_DEVICE: it is refused with a sentence, or names a device that stands in it, and leads to
 * everybody or to nobody.
 */
#include "dpdk/spec.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>

static const struct frame_host hosts[2] = {{4, {10, 9, 0, 1}}, {6, {0xfd, 0, 0, 9, [15] = 1}}};

static void check(const char *text, const struct frame_host *own)
{
	struct frame_host far = {.version = own->version, .bytes = {0xaa, 1, 2, 3}};
	const struct frame_host *next;
	struct dpdk_spec spec;

	if (weft__dpdk_spec_read(text, own, &spec) < 0) {
		if (!weft_last_error()[0])
			abort();
		return;
	}
	if (!spec.device[0] || strnlen(spec.device, sizeof spec.device) == sizeof spec.device ||
	    !strstr(text, spec.device))
		abort();
	next = weft__dpdk_spec_next(&spec, own, &far);
	if ((next && next->version != own->version) || weft__dpdk_spec_next(&spec, own, own) != own)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	char *text = malloc(len_bytes + 1);

	if (!text)
		return 0;
	if (len_bytes)
		memcpy(text, data, len_bytes);
	text[len_bytes] = '\0';
	check(text, &hosts[0]);
	check(text, &hosts[1]);
	free(text);
	return 0;
}
