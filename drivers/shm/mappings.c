/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segments of its peer that a path has mapped; ledger.c counts those of all.
 */
#include "shm/shm.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <weft/errors.h>

static void forget(struct shm_path *path, const struct weft_mapping *mapping)
{
	path->mapped.count--;
	path->mapped.bytes -= mapping->len_bytes;
	shm_ledger_take(path->who, mapping->len_bytes);
}

int shm_mapping_open(struct shm_path *path, int fd, uint64_t incarnation, uint32_t segment_id, uint64_t max_len_bytes,
		     struct weft_mapping *out)
{
	struct weft_mapping mapping;
	int rc = weft_mapping_open(fd, incarnation, segment_id, max_len_bytes, &mapping);

	if (rc < 0)
		return rc;
	rc = shm_ledger_add(path->who, mapping.len_bytes);
	if (rc < 0) {
		weft_mapping_close(&mapping);
		return rc;
	}
	path->mapped.count++;
	path->mapped.bytes += mapping.len_bytes;
	*out = mapping;
	return 0;
}

void shm_mapping_close(struct shm_path *path, struct weft_mapping *mapping)
{
	forget(path, mapping);
	weft_mapping_close(mapping);
}

/* Into the array, if there is one: it goes with the others. */
static void end(struct shm_path *path, struct weft_mapping *mapping, struct weft_mapping *all, unsigned int *count)
{
	if (!all) {
		shm_mapping_close(path, mapping);
		return;
	}
	forget(path, mapping);
	all[(*count)++] = *mapping;
}

void shm_mappings_free(struct shm_path *path)
{
	struct shm_shares *shares = atomic_load_explicit(&path->shares, memory_order_relaxed);
	struct weft_mapping *all = path->mapped.count ? malloc(path->mapped.count * sizeof *all) : NULL;
	unsigned int count = 0;

	for (unsigned int i = 0; i < path->mapping_count; i++)
		end(path, &path->mappings[i], all, &count);
	for (uint32_t i = 0; shares && i < SHM_SEGMENTS; i++) {
		struct weft_mapping *mapping = atomic_load_explicit(&shares->by_id[i], memory_order_relaxed);

		if (mapping)
			end(path, mapping, all, &count);
		free(mapping);
	}
	free(shares);
	if (all)
		shm_foreign_unmap(all, count, path->who);
}
