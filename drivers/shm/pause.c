/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Not looking at a descriptor for a while: what waits there needs descriptors or memory that we do not have, and it stays
 * ready; looking at once again would take the whole runner.
 */
#include "shm/shm.h"

#define PAUSE_NS UINT64_C(100000000)

static void look_later(struct shm_pause *pause)
{
	weft_timer_set(pause->runner, &pause->timer, weft_worker_now(pause->runner) + PAUSE_NS);
}

static void look_again(struct weft_timer *timer, void *user)
{
	struct shm_pause *pause = user;

	(void)timer;
	if (weft_worker_add_fd(pause->runner, pause->watch) == 0)
		pause->on = false;
	else
		look_later(pause);
}

void shm_pause_begin(struct shm_pause *pause, struct weft_worker *runner, struct weft_fd_watch *watch)
{
	*pause = (struct shm_pause){.runner = runner, .watch = watch, .on = true};
	weft_worker_remove_fd(runner, watch);
	weft_timer_init(&pause->timer, look_again, pause);
	look_later(pause);
}

void shm_pause_remove(struct shm_pause *pause, struct weft_worker *runner, struct weft_fd_watch *watch)
{
	if (pause->on)
		weft_timer_cancel(runner, &pause->timer);
	else
		weft_worker_remove_fd(runner, watch);
	pause->on = false;
}
