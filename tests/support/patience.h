/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for what must happen. How long that may take is no measure of anything, since a machine may stand still for
 * a while: the limit only says where a test hangs, before ctest ends the whole of it.
 */
#ifndef PATIENCE_H
#define PATIENCE_H

#include <stdbool.h>
#include <weft/clock.h>

#define PATIENCE_NS UINT64_C(60000000000)

/* When patience ends that begins now. */
static inline uint64_t patience_end_ns(void)
{
	return weft_clock_now(weft_clock_real()) + PATIENCE_NS;
}

/* Takes turns until the condition holds; false when patience has ended. Both are evaluated again each time. */
#define PATIENCE_UNTIL(turn, condition)                                                       \
	({                                                                                    \
		uint64_t end_ns_ = patience_end_ns();                                         \
		bool held_;                                                                   \
		while (!(held_ = (condition)) && weft_clock_now(weft_clock_real()) < end_ns_) \
			turn;                                                                 \
		held_;                                                                        \
	})

#endif
