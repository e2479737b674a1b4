/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated network with a virtual clock, on which the sides of a test meet.
 */
#ifndef SIMULATED_H
#define SIMULATED_H

#include "path/path.h"
#include "side.h"

#include <weft/sim.h>

struct simulated {
	struct weft_clock *clock;
	struct weft_sim *sim;
};

/* Opens both, the network with these options and this clock; sides that are opened from now on are on it. All that is left of
 * the run before must be closed. */
void simulated_open(struct simulated *simulated, const struct weft_sim_opts *opts, weft__stream_fn *stream_of);
/* All sides must be closed. */
void simulated_close(struct simulated *simulated);
uint64_t simulated_now_ns(const struct simulated *simulated);
/* The sooner of next_ns and of what the side waits for. */
uint64_t simulated_next_ns(uint64_t next_ns, const struct side *side);
/* Time goes on to next_ns, and by step_ns at the least, as it passes for those who work. */
void simulated_go_on(struct simulated *simulated, uint64_t next_ns, uint64_t step_ns);

#endif
