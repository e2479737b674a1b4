/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text may come as an address of UDP, and any bytes from a peer: a text is refused with a sentence and writes nothing,
 * or what was read is written as a text that means the same; bytes are told apart without harm.
 */
#include "fuzz.h"
#include "ip/address.h"

#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>

static void check_text(const char *text)
{
	struct weft_net_address address, before, again;
	char written[WEFT_NET_TEXT_MAX];

	memset(&address, 0xee, sizeof address);
	before = address;
	if (weft__ip_address_read(text, &address) < 0) {
		if (!weft_last_error()[0] || memcmp(&address, &before, sizeof address) != 0)
			abort();
		return;
	}
	weft__ip_address_write(&address, written);
	if (weft__ip_address_read(written, &again) < 0 || memcmp(&address, &again, sizeof again) != 0)
		abort();
}

static void check_bytes(const char *data, size_t len_bytes)
{
	struct weft_net_address address, again;
	char written[WEFT_NET_TEXT_MAX];
	union ip_sockaddr at;

	memset(&address, 0, sizeof address);
	memcpy(&address, data, len_bytes < sizeof address ? len_bytes : sizeof address);
	memset(written, 'x', sizeof written);
	weft__ip_address_write(&address, written);
	if (strnlen(written, sizeof written) == sizeof written)
		abort();
	if (!weft__ip_address_is_host(&address))
		return;
	if (!weft__ip_address_to(&address, &at) || !weft__ip_address_from(&at, &again) ||
	    weft__ip_address_port(&again) != weft__ip_address_port(&address))
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
	check_text(text);
	check_bytes(text, len_bytes);
	free(text);
	return 0;
}
