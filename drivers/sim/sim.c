/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network as a whole.
 */
#include "sim/sim_private.h"

#include <stdlib.h>
#include <string.h>
#include <weft/assert.h>
#include <weft/errors.h>

void weft_sim_opts_init(struct weft_sim_opts *opts, size_t size)
{
	memset(opts, 0, size);
	opts->size = size;
	opts->link.delay_ns = 10000;
	opts->link.payload_max = 1472;
}

static int check(const struct weft_sim_opts *opts)
{
	if (!opts->clock || !weft_clock_is_virtual(opts->clock))
		return weft_set_error(WEFT_EINVAL,
				      "a simulated network needs a virtual clock: weft_clock_virtual_open");
	return weft__sim_link_check(&opts->link);
}

int weft_sim_open(const struct weft_sim_opts *opts, struct weft_sim **out)
{
	struct weft_sim *sim;
	int rc = check(opts);

	if (rc < 0)
		return rc;
	sim = calloc(1, sizeof *sim);
	if (!sim)
		return weft_set_error(WEFT_ENOMEM, "no memory for a simulated network");
	sim->opts = *opts;
	sim->driver = weft__sim_driver;
	rc = weft__sim_table_init(&sim->hosts);
	if (rc < 0)
		goto free_sim;
	rc = weft__sim_table_init(&sim->links);
	if (rc < 0)
		goto free_hosts;
	*out = sim;
	return 0;

free_hosts:
	weft__sim_table_fini(&sim->hosts, weft__sim_host_free);
free_sim:
	free(sim);
	return rc;
}

void weft_sim_close(struct weft_sim **out)
{
	struct weft_sim *sim = *out;

	WEFT_ASSERT(sim->net_count == 0);
	for (uint32_t i = 0; i < sim->heap.count; i++)
		free(sim->heap.events[i]);
	free(sim->heap.events);
	weft__sim_table_fini(&sim->links, weft__sim_link_free);
	weft__sim_table_fini(&sim->hosts, weft__sim_host_free);
	free(sim);
	*out = NULL;
}

const struct weft_net_driver *weft_sim_driver(struct weft_sim *sim)
{
	return &sim->driver;
}

uint64_t weft_sim_next_ns(const struct weft_sim *sim)
{
	if (sim->waiting)
		return 0;
	return sim->heap.count ? sim->heap.events[0]->due_ns : WEFT_NEVER;
}

void weft_sim_describe(const struct weft_sim *sim, struct weft_sim_stats *out)
{
	*out = sim->stats;
}
