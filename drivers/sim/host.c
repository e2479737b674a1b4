/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts, and their names, which are addresses.
 */
#include "sim/sim_private.h"

#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/hash.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

_Static_assert(sizeof((struct weft_net_address *)0)->bytes > WEFT_SIM_NAME_MAX, "a name ends in 0");

bool weft__sim_name_is_valid(const struct weft_net_address *name)
{
	size_t len = name->len_bytes;

	if (len == 0 || len > WEFT_SIM_NAME_MAX || strnlen((const char *)name->bytes, sizeof name->bytes) != len)
		return false;
	return strspn((const char *)name->bytes, LETTERS) == len;
}

int weft__sim_name_read(const char *text, struct weft_net_address *out)
{
	size_t len = strnlen(text, WEFT_SIM_NAME_MAX + 1);
	struct weft_net_address read = {.len_bytes = (uint8_t)len};

	if (len <= WEFT_SIM_NAME_MAX)
		memcpy(read.bytes, text, len);
	if (!weft__sim_name_is_valid(&read))
		return weft_set_error(
			WEFT_EINVAL,
			"\"%.80s\" is no address of a simulated host: 1 to %u letters, digits, or any of \"_.-\"", text,
			WEFT_SIM_NAME_MAX);
	*out = read;
	return 0;
}

struct sim_host *weft__sim_host(struct weft_sim *sim, const struct weft_net_address *name)
{
	uint64_t hash = weft_hash_bytes(name->bytes, name->len_bytes);
	struct sim_entry *at = NULL;
	struct sim_host *host;

	while ((at = weft__sim_table_next(&sim->hosts, hash, at))) {
		host = WEFT_CONTAINER_OF(at, struct sim_host, entry);
		if (memcmp(&host->name, name, sizeof *name) == 0)
			return host;
	}
	host = calloc(1, sizeof *host);
	if (!host) {
		weft_set_error(WEFT_ENOMEM, "no memory for a simulated host");
		return NULL;
	}
	host->entry.hash = hash;
	host->name = *name;
	weft__sim_table_add(&sim->hosts, &host->entry);
	return host;
}

void weft__sim_host_free(struct sim_entry *entry)
{
	struct sim_host *host = WEFT_CONTAINER_OF(entry, struct sim_host, entry);

	weft__sim_downlink_free(&host->downlink);
	free(host);
}
