/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work in DPDK's thread of interrupts. Some drivers do half of their own there, and let nobody else start or end a device
 * meanwhile without harm.
 */
#include "dpdk/dpdk.h"

#include <rte_alarm.h>
#include <semaphore.h>

struct errand {
	int (*run)(struct dpdk_device *device);
	struct dpdk_device *device;
	int rc;
	sem_t done;
};

static void run(void *user)
{
	struct errand *errand = user;

	errand->rc = errand->run(errand->device);
	sem_post(&errand->done);
}

int weft__dpdk_apart(struct dpdk_device *device, int (*work)(struct dpdk_device *device))
{
	struct errand errand = {.run = work, .device = device};

	if (!device->apart)
		return work(device);
	sem_init(&errand.done, 0, 0);
	/* Where there are no alarms, that thread does nothing either. */
	if (rte_eal_alarm_set(1, run, &errand) < 0)
		run(&errand);
	while (sem_wait(&errand.done) < 0)
		;
	sem_destroy(&errand.done);
	return errand.rc;
}
