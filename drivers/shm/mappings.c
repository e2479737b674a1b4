/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this process maps of its peers, counted: mappings and address space are the process's, and a peer can ask for a
 * mapping at the cost of a message. The same memory can be shared again under another number, so what it costs a peer
 * bounds nothing.
 */
#include "shm/shm.h"

#include <stdatomic.h>
#include <weft/errors.h>
#include <weft/log.h>

static atomic_ullong mapped_bytes;
static atomic_uint mapped_count;
static atomic_bool was_said;

/* Says once that others must wait until some are gone. */
static int refuse(void)
{
	if (!atomic_exchange_explicit(&was_said, true, memory_order_relaxed))
		weft_log(WEFT_LOG_WARN, "shm", "segments of peers mapped %u bytes %llu action no more are mapped until links are closed: "
			 "have fewer peers, or peers with less memory", SHM_MAPPED_MAX,
			 atomic_load_explicit(&mapped_bytes, memory_order_relaxed));
	return weft_set_error(WEFT_ENOMEM, "%u segments of peers or %llu bytes of them are mapped in this process: that is the limit",
			      SHM_MAPPED_MAX, (unsigned long long)SHM_MAPPED_MAX_BYTES);
}

static void forget(const struct weft_mapping *mapping)
{
	atomic_fetch_sub_explicit(&mapped_count, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&mapped_bytes, mapping->len_bytes, memory_order_relaxed);
}

int shm_mapping_open(int fd, uint64_t incarnation, uint32_t segment_id, uint64_t max_len_bytes, struct weft_mapping *out)
{
	struct weft_mapping mapping;
	int rc;

	if (atomic_load_explicit(&mapped_count, memory_order_relaxed) >= SHM_MAPPED_MAX)
		return refuse();
	rc = weft_mapping_open(fd, incarnation, segment_id, max_len_bytes, &mapping);
	if (rc < 0)
		return rc;
	atomic_fetch_add_explicit(&mapped_count, 1, memory_order_relaxed);
	if (atomic_fetch_add_explicit(&mapped_bytes, mapping.len_bytes, memory_order_relaxed) + mapping.len_bytes >
	    SHM_MAPPED_MAX_BYTES) {
		forget(&mapping);
		weft_mapping_close(&mapping);
		return refuse();
	}
	*out = mapping;
	return 0;
}

bool shm_mapping_is_share(uint32_t count, uint64_t len_bytes)
{
	uint32_t all_count = atomic_load_explicit(&mapped_count, memory_order_relaxed);
	uint64_t all_bytes = atomic_load_explicit(&mapped_bytes, memory_order_relaxed);

	return count + all_count >= SHM_MAPPED_MAX || len_bytes + all_bytes >= SHM_MAPPED_MAX_BYTES;
}

void shm_mapping_close(struct weft_mapping *mapping)
{
	forget(mapping);
	weft_mapping_close(mapping);
}
