/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segments that a peer shares for its loans. The entry is published before the peer learns that it may lend from
 * the segment, so the worker finds it whenever a loan can name it: a message to the worker might come too late.
 */
#include "shm/shm.h"

#include <stdlib.h>
#include <weft/errors.h>
#include <weft/log.h>

static struct shm_shares *shares_of(struct shm_path *path)
{
	struct shm_shares *shares = atomic_load_explicit(&path->shares, memory_order_relaxed);

	if (shares)
		return shares;
	shares = calloc(1, sizeof *shares);
	/* release: pairs with the acquire in shm_shares_find(); the table is empty for it. */
	if (shares)
		atomic_store_explicit(&path->shares, shares, memory_order_release);
	return shares;
}

int shm_shares_add(struct shm_path *path, uint32_t segment_id, int fd)
{
	struct shm_shares *shares = shares_of(path);
	struct weft_mapping *mapping;
	int rc;

	if (!shares)
		return weft_set_error(WEFT_ENOMEM, "no memory for the segments of a peer");
	if (segment_id >= SHM_SEGMENTS || atomic_load_explicit(&shares->by_id[segment_id], memory_order_relaxed))
		return weft_set_error(WEFT_EPROTO, "a peer shares segment %u twice, or it cannot be", segment_id);
	mapping = calloc(1, sizeof *mapping);
	if (!mapping)
		return weft_set_error(WEFT_ENOMEM, "no memory for a segment of a peer");
	rc = shm_mapping_open(path, fd, path->base.peer.incarnation, segment_id, SHM_PATH_BYTES, mapping);
	if (rc < 0) {
		free(mapping);
		return rc;
	}
	if (mapping->len_bytes > SHM_PATH_BYTES - shares->mapped_bytes) {
		shm_mapping_close(path, mapping);
		free(mapping);
		weft_log(WEFT_LOG_WARN, "shm", "pid %lld shares more than %llu bytes over one path action closed",
			 (long long)path->base.peer.pid, (unsigned long long)SHM_PATH_BYTES);
		return weft_set_error(WEFT_EQUOTA, "a peer shares more than %llu bytes",
				      (unsigned long long)SHM_PATH_BYTES);
	}
	shares->mapped_bytes += mapping->len_bytes;
	/* release: pairs with the acquire in shm_shares_find(); base and length are written. */
	atomic_store_explicit(&shares->by_id[segment_id], mapping, memory_order_release);
	return 0;
}

const struct weft_mapping *shm_shares_find(struct shm_path *path, uint32_t segment_id)
{
	/* acquire: pairs with the release in shares_of(). */
	struct shm_shares *shares = atomic_load_explicit(&path->shares, memory_order_acquire);

	if (!shares || segment_id >= SHM_SEGMENTS)
		return NULL;
	path->books = shares;
	/* acquire: pairs with the release in shm_shares_add(). */
	return atomic_load_explicit(&shares->by_id[segment_id], memory_order_acquire);
}
