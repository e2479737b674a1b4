/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks that move only when told to.
 */
#include "clock_private.h"

#include <weft/assert.h>
#include <weft/errors.h>

#include <stdlib.h>

int weft_clock_virtual_open(uint64_t start_ns, struct weft_clock **out)
{
	struct weft_clock *clock = malloc(sizeof *clock);

	if (clock == NULL)
		return weft_set_error(WEFT_ENOMEM, "no memory for a virtual clock");
	clock->is_virtual = true;
	atomic_init(&clock->virtual_ns, start_ns);
	*out = clock;
	return 0;
}

void weft_clock_virtual_close(struct weft_clock **clock)
{
	if (*clock == NULL)
		return;
	WEFT_ASSERT((*clock)->is_virtual);
	free(*clock);
	*clock = NULL;
}

void weft_clock_virtual_set(struct weft_clock *clock, uint64_t now_ns)
{
	WEFT_ASSERT(clock->is_virtual);
	WEFT_ASSERT(now_ns >= atomic_load_explicit(&clock->virtual_ns, memory_order_relaxed));
	/* pairs with the acquire in weft_clock_now */
	atomic_store_explicit(&clock->virtual_ns, now_ns, memory_order_release);
}
