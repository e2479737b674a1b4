/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this process maps of its peers, counted: mappings and address space are the process's, and a peer can ask for a
 * mapping at the cost of a message. The same memory can be shared again under another number, so what it costs a peer
 * bounds nothing. One process may make us map twice what is free: it alone gets two thirds, many get less each, and some is
 * left for the next one.
 */
#include "shm/shm.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/log.h>

static atomic_ullong mapped_bytes;
static atomic_uint mapped_count;
static atomic_bool was_said;

/* Says once that others must wait until some are gone. */
static int refuse(void)
{
	if (!atomic_exchange_explicit(&was_said, true, memory_order_relaxed))
		weft_log(WEFT_LOG_WARN, "shm",
			 "segments of peers mapped %u bytes %llu action no more are mapped until links are closed: "
			 "have fewer peers, or peers with less memory",
			 SHM_MAPPED_MAX, atomic_load_explicit(&mapped_bytes, memory_order_relaxed));
	return weft_set_error(
		WEFT_ENOMEM, "%u segments of peers or %llu bytes of them are mapped in this process: that is the limit",
		SHM_MAPPED_MAX, (unsigned long long)SHM_MAPPED_MAX_BYTES);
}

/* What one process makes us map by all its paths. */
static struct shm_mapped mapped_for(const struct shm_path *path)
{
	struct shm_mapped sum = {0};

	WEFT_LIST_FOR_EACH(at, &path->device->paths) {
		const struct shm_path *other = WEFT_CONTAINER_OF(at, struct shm_path, in_device);

		if (other->who != path->who)
			continue;
		sum.count += other->mapped.count;
		sum.bytes += other->mapped.bytes;
	}
	return sum;
}

/* Whether so many bytes more are within the share of the path's process; our own may have all. */
static bool has_share(const struct shm_path *path, uint64_t len_bytes)
{
	struct shm_mapped of_one = mapped_for(path);
	unsigned int count = atomic_load_explicit(&mapped_count, memory_order_relaxed);
	uint64_t bytes = atomic_load_explicit(&mapped_bytes, memory_order_relaxed);

	return path->who == getpid() || (of_one.count < 2 * (SHM_MAPPED_MAX - count) &&
					 of_one.bytes + len_bytes <= 2 * (SHM_MAPPED_MAX_BYTES - bytes));
}

static int refuse_one(const struct shm_path *path)
{
	char text[SHM_WHO_TEXT];

	weft_log(WEFT_LOG_WARN, "shm", "%s has more segments mapped here than its share action closed",
		 shm_who_text(path->who, text));
	return weft_set_error(WEFT_EQUOTA, "a process has more of its segments mapped here than its share");
}

static void forget(struct shm_path *path, const struct weft_mapping *mapping)
{
	path->mapped.count--;
	path->mapped.bytes -= mapping->len_bytes;
	atomic_fetch_sub_explicit(&mapped_count, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&mapped_bytes, mapping->len_bytes, memory_order_relaxed);
}

static uint64_t note(struct shm_path *path, const struct weft_mapping *mapping)
{
	path->mapped.count++;
	path->mapped.bytes += mapping->len_bytes;
	atomic_fetch_add_explicit(&mapped_count, 1, memory_order_relaxed);
	return atomic_fetch_add_explicit(&mapped_bytes, mapping->len_bytes, memory_order_relaxed) + mapping->len_bytes;
}

int shm_mapping_open(struct shm_path *path, int fd, uint64_t incarnation, uint32_t segment_id, uint64_t max_len_bytes,
		     struct weft_mapping *out)
{
	struct weft_mapping mapping;
	int rc;

	if (atomic_load_explicit(&mapped_count, memory_order_relaxed) >= SHM_MAPPED_MAX)
		return refuse();
	rc = weft_mapping_open(fd, incarnation, segment_id, max_len_bytes, &mapping);
	if (rc < 0)
		return rc;
	if (!has_share(path, mapping.len_bytes)) {
		weft_mapping_close(&mapping);
		return refuse_one(path);
	}
	if (note(path, &mapping) > SHM_MAPPED_MAX_BYTES) {
		forget(path, &mapping);
		weft_mapping_close(&mapping);
		return refuse();
	}
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
