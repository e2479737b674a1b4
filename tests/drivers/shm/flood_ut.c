/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a peer cannot hold a worker by messages that make no frames: a long ring full of forged releases is
 * taken in bounded pieces, each forgery is counted, and what was sent behind them arrives.
 */
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdlib.h>

#define UNITS 4096u
#define MESSAGES (UNITS / SHM_LINE_UNITS)

static _Alignas(64) struct shm_unit units[WEFT_CLASS_COUNT][UNITS];
static struct shm_head heads[WEFT_CLASS_COUNT];
static struct shm_tx peer_tx[WEFT_CLASS_COUNT];
static struct shm_stage peer_stage;
static _Alignas(64) struct shm_port port;
static _Alignas(64) struct shm_path path;

static void set_up(void)
{
	weft_list_init(&port.busy);
	weft_list_init(&port.quiet);
	weft_list_init(&port.dirty);
	weft_list_init(&path.in_polled);
	path.port = &port;
	path.state = SHM_PATH_UP;
	path.busy = true;
	path.empty_limit = SHM_QUIET_TURNS;
	weft_list_push_back(&port.busy, &path.in_polled);
	for (unsigned int i = 0; i < WEFT_CLASS_COUNT; i++) {
		path.rx[i] = (struct shm_rx){.units = units[i], .own_head = &heads[i], .mask = UNITS - 1};
		peer_tx[i] = (struct shm_tx){.units = units[i], .peer_head = &heads[i], .mask = UNITS - 1};
	}
}

static void peer_sends(struct shm_tx *tx, enum shm_kind kind, uint32_t len_bytes, uint64_t meta)
{
	peer_stage.tx = tx;
	memset(shm_stage_data(&peer_stage), 0, len_bytes);
	shm_stage_add(&peer_stage, tx, kind, meta, len_bytes);
	shm_stage_publish(&peer_stage);
}

static void a_flood_of_releases_is_taken_in_bounded_pieces(void)
{
	struct shm_tx *tx = &peer_tx[WEFT_CLASS_NORMAL];
	struct weft_rx_frame frames[SHM_BURST];
	unsigned int calls = 0, got = 0;
	uint64_t before = 0;

	set_up();
	for (unsigned int i = 0; i < MESSAGES - 1; i++)
		peer_sends(tx, SHM_RELEASE, 4, 0);
	peer_sends(tx, SHM_INLINE, 0, 42);
	for (; !got && calls < MESSAGES; calls++) {
		got = shm_port_rx(&port.base, frames, SHM_BURST);
		CU_ASSERT_TRUE(port.stats.bad_releases - before <= SHM_DRAIN_MAX * SHM_LOOKS);
		before = port.stats.bad_releases;
	}
	CU_ASSERT_EQUAL_FATAL(got, 1);
	CU_ASSERT_EQUAL(frames[0].meta, 42);
	CU_ASSERT_EQUAL(port.stats.bad_releases, MESSAGES - 1);
	CU_ASSERT_EQUAL(path.state, SHM_PATH_UP);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {SUITE_CASE(a_flood_of_releases_is_taken_in_bounded_pieces)};

	return suite_main("shm flood", cases, SUITE_COUNT(cases), argc, argv);
}
