/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every fuzzer defines: one run over one input. Returns 0; a fault shows as a crash.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <weft/list.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

static inline unsigned int length_of(const struct weft_list *list)
{
	unsigned int count = 0;

	for (const struct weft_list *at = list->next; at != list; at = at->next)
		count++;
	return count;
}

#endif
