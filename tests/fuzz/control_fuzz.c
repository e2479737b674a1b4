/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hello, terms and credit as peers send them: what is taken has one encoding only, which is what came, and holds
 * nothing that is not a name. The first byte says which of the three follows.
 */
#include "fuzz.h"
#include "wire/control.h"

#include <stdlib.h>
#include <string.h>

static void same(const void *encoded, size_t encoded_len_bytes, const uint8_t *data, size_t len_bytes)
{
	if (encoded_len_bytes != len_bytes || memcmp(encoded, data, len_bytes))
		abort();
}

static void try_hello(const uint8_t *data, size_t len_bytes)
{
	struct weft_hello bytes = {.len_bytes = (uint16_t)len_bytes}, again;
	struct weft__hello hello;

	if (len_bytes > UINT16_MAX)
		return;
	memcpy(bytes.bytes, data, len_bytes < sizeof bytes.bytes ? len_bytes : sizeof bytes.bytes);
	if (weft__hello_decode(&bytes, &hello) < 0)
		return;
	if (!weft__name_valid(hello.node) || (hello.worker[0] && !weft__name_valid(hello.worker)) ||
	    (hello.target[0] && !weft__name_valid(hello.target)))
		abort();
	weft__hello_encode(&hello, &again);
	same(again.bytes, again.len_bytes, data, len_bytes);
}

static void try_terms(const uint8_t *data, size_t len_bytes)
{
	unsigned char again[WEFT__LANE_OPEN_MAX];
	struct weft__lane_terms terms;

	if (weft__lane_terms_decode(data, len_bytes, &terms) < 0)
		return;
	if (!weft__name_valid(terms.channel))
		abort();
	same(again, weft__lane_terms_encode(&terms, again), data, len_bytes);
}

static void try_credit(const uint8_t *data, size_t len_bytes)
{
	unsigned char again[WEFT__CREDIT_BYTES];
	struct weft__credit credit;

	if (weft__credit_decode(data, len_bytes, &credit) < 0)
		return;
	weft__credit_encode(&credit, again);
	same(again, sizeof again, data, len_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	static void (*const tries[])(const uint8_t *, size_t) = {try_hello, try_terms, try_credit};

	if (len_bytes)
		tries[data[0] % 3](data + 1, len_bytes - 1);
	return 0;
}
