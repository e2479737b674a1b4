/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a peer wrote into its rings: each frame that comes out lies within what it may, and nothing else is read. The
 * first byte says which message beginnings are stamped with the sequence that the consumer awaits there, so that the others
 * are reached; the rest is the rings' memory.
 */
#include "fuzz.h"
#include "shm/shm.h"

#include <stdlib.h>
#include <string.h>

#define UNITS 256u
#define SHARED_BYTES 4096u
#define TURNS 64u

static _Alignas(64) struct shm_unit units[WEFT_CLASS_COUNT][UNITS];
static struct shm_head heads[WEFT_CLASS_COUNT];
static _Alignas(64) struct shm_port port;
static _Alignas(64) struct shm_path path;
static struct shm_device device;
static struct shm_shares shares;
static struct weft_mapping mapping;
static unsigned int downs;

static void on_down(void *port_user, struct weft_path *base, enum weft_down_reason reason)
{
	(void)port_user;
	if (base != &path.base || reason != WEFT_DOWN_VIOLATION)
		abort();
	downs++;
}

static const struct weft_device_events events = {.path_down = on_down};

static void set_up(const char *shared)
{
	memset(&port, 0, sizeof port);
	memset(&path, 0, sizeof path);
	memset(heads, 0, sizeof heads);
	downs = 0;
	device.opts.events = &events;
	mapping = (struct weft_mapping){.base = shared, .len_bytes = SHARED_BYTES, .segment_id = 1};
	atomic_store_explicit(&shares.by_id[1], &mapping, memory_order_relaxed);
	weft_list_init(&port.busy);
	weft_list_init(&port.quiet);
	weft_list_init(&port.dirty);
	weft_list_init(&path.in_polled);
	weft_list_init(&path.in_dirty);
	port.device = &device;
	path.port = &port;
	path.device = &device;
	path.state = SHM_PATH_UP;
	path.busy = true;
	path.empty_limit = SHM_QUIET_TURNS;
	atomic_store_explicit(&path.shares, &shares, memory_order_relaxed);
	weft_list_push_back(&port.busy, &path.in_polled);
	for (unsigned int i = 0; i < WEFT_CLASS_COUNT; i++)
		path.rx[i] = (struct shm_rx){.units = units[i], .own_head = &heads[i], .mask = UNITS - 1};
}

static void fill(const uint8_t *data, size_t len_bytes)
{
	unsigned int stamps = len_bytes ? data[0] : 0;

	memset(units, 0, sizeof units);
	if (len_bytes > 1)
		memcpy(units, data + 1, len_bytes - 1 < sizeof units ? len_bytes - 1 : sizeof units);
	for (unsigned int class_ = 0; class_ < WEFT_CLASS_COUNT; class_++)
		for (uint32_t i = 0; i < UNITS; i++) {
			uint64_t start = atomic_load_explicit(&units[class_][i].start, memory_order_relaxed);

			if (stamps >> i % 8 & 1)
				atomic_store_explicit(&units[class_][i].start,
						      (start & ~(uint64_t)UINT32_MAX) | (i + 1), memory_order_relaxed);
		}
}

static void check(const struct weft_rx_frame *frame, const char *shared)
{
	volatile unsigned char sum = 0;
	const char *loan = frame->loan_data;

	if (frame->path != &path.base || frame->len_bytes > SHM_INLINE_MAX)
		abort();
	for (uint32_t i = 0; i < frame->len_bytes; i++)
		sum = (unsigned char)(sum + ((const unsigned char *)frame->data)[i]);
	if (!loan)
		return;
	if (frame->len_bytes > SHM_LOAN_HEAD_MAX || !frame->loan_len_bytes || loan < shared ||
	    (size_t)(loan - shared) > SHARED_BYTES || frame->loan_len_bytes > SHARED_BYTES - (size_t)(loan - shared))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	static char shared[SHARED_BYTES];
	struct weft_rx_frame frames[SHM_BURST];

	set_up(shared);
	fill(data, len_bytes);
	for (unsigned int turn = 0; turn < TURNS && !downs; turn++) {
		unsigned int count = shm_port_rx(&port.base, frames, SHM_BURST);

		if (count > SHM_BURST)
			abort();
		for (unsigned int i = 0; i < count; i++)
			check(&frames[i], shared);
	}
	if (port.stats.violations != downs || downs > 1)
		abort();
	return 0;
}
