/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK's environment, which a process has once: started in a thread of its own, since it binds the one that starts it to
 * cores; in memory, so that nothing is left on disk; without looking at devices that nobody named.
 */
#include "dpdk/dpdk.h"

#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/log.h>

#define HUGE_PAGES_LEAST 32u /* of 2 MiB: what a device's pool and DPDK itself need */
#define MEMORY_MIB "256"     /* without huge pages: as much as it shall ever be */
#define FREE_PAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
#define ARGUMENTS_MAX 16

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool started;
static pthread_key_t joined; /* threads that leave DPDK when they end */
static char complaint[160];

/* ---- what DPDK says ---- */

static ssize_t hear(void *cookie, const char *text, size_t len)
{
	int level = rte_log_cur_msg_loglevel();
	size_t line = len;

	(void)cookie;
	while (line && text[line - 1] == '\n')
		line--;
	if (line && level > 0 && (unsigned int)level <= RTE_LOG_ERR)
		snprintf(complaint, sizeof complaint, "%.*s", (int)line, text);
	/* What matters of it is in the error of whoever called. */
	if (line)
		weft_log(WEFT_LOG_DEBUG, "dpdk", "DPDK says %.*s", (int)line, text);
	return (ssize_t)len;
}

static void listen_to_dpdk(void)
{
	FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = hear});

	if (!stream)
		return;
	setvbuf(stream, NULL, _IOLBF, 1024);
	rte_openlog_stream(stream);
}

const char *weft__dpdk_complaint(void)
{
	return complaint[0] ? complaint : "DPDK does not say why";
}

/* ---- threads ---- */

static void part(void *value)
{
	(void)value;
	rte_thread_unregister();
}

void weft__dpdk_join(void)
{
	static _Thread_local bool tried;

	if (tried || rte_lcore_id() != LCORE_ID_ANY)
		return;
	/* Once: without it all works, and buffers come and go more slowly. */
	tried = true;
	if (rte_thread_register() == 0)
		pthread_setspecific(joined, &joined);
}

/* ---- the start ---- */

/* Decided beforehand, as DPDK cannot start twice. */
static bool are_huge_pages_free(void)
{
	const char *wanted = secure_getenv("WEFT_DPDK_HUGE_PAGES");
	FILE *file = fopen(FREE_PAGES, "re");
	unsigned long count = 0;

	if (!file)
		return false;
	if (fscanf(file, "%9lu", &count) != 1)
		count = 0;
	fclose(file);
	return count >= HUGE_PAGES_LEAST && !(wanted && strcmp(wanted, "no") == 0);
}

/* One main core by DPDK's count, which may be any of those that are ours: nobody is bound. */
static void write_cores(char *text, size_t size)
{
	size_t len = (size_t)snprintf(text, size, "0@(");
	cpu_set_t ours;
	int last = -1;

	CPU_ZERO(&ours);
	if (sched_getaffinity(0, sizeof ours, &ours) < 0)
		CPU_SET(0, &ours);
	for (int cpu = 0; cpu < CPU_SETSIZE && len + 16 < size; cpu++) {
		if (!CPU_ISSET(cpu, &ours))
			continue;
		len += (size_t)snprintf(text + len, size - len, "%s%d", last < 0 ? "" : ",", cpu);
		last = cpu;
	}
	snprintf(text + len, size - len, ")");
}

bool weft__dpdk_is_pci(const char *device)
{
	return strspn(device, "0123456789abcdefABCDEF") >= 2 && strchr(device, ':') && strchr(device, '.');
}

struct start {
	const char *device;
	bool huge;
	int rc, error;
};

static void *run(void *user)
{
	struct start *start = user;
	char program[] = "weft", cores[2048], device[SPEC_DEVICE_MAX];
	char *arguments[ARGUMENTS_MAX] = {program, "--no-telemetry", "--iova-mode=va", "--file-prefix=weft", "--lcores",
					  cores};
	int count = 6;

	write_cores(cores, sizeof cores);
	if (start->huge) {
		arguments[count++] = "--in-memory";
	} else {
		arguments[count++] = "--no-huge";
		arguments[count++] = "--no-shconf";
		arguments[count++] = "-m";
		arguments[count++] = MEMORY_MIB;
	}
	if (weft__dpdk_is_pci(start->device)) {
		snprintf(device, sizeof device, "%s", start->device);
		arguments[count++] = "-a";
		arguments[count++] = device;
	} else {
		arguments[count++] = "--no-pci";
	}
	start->rc = rte_eal_init(count, arguments);
	start->error = rte_errno;
	return NULL;
}

/* With the lock. */
static int start_now(const char *first_device)
{
	struct start start = {.device = first_device, .huge = are_huge_pages_free()};
	pthread_t thread;

	if (pthread_key_create(&joined, part) != 0)
		return weft_set_error(WEFT_ENOMEM, "dpdk: no key for threads");
	if (!rte_log_get_stream() || rte_log_get_stream() == stderr)
		listen_to_dpdk();
	if (pthread_create(&thread, NULL, run, &start) != 0) {
		pthread_key_delete(joined);
		return weft_set_error(WEFT_EAGAIN, "dpdk: no thread to start DPDK in: see ulimit -u");
	}
	pthread_join(thread, NULL);
	if (start.rc < 0 && start.error == EALREADY) {
		weft_log(WEFT_LOG_INFO, "dpdk", "adopts what the application has started of DPDK");
		return 0;
	}
	if (start.rc < 0) {
		pthread_key_delete(joined);
		return weft_set_error(weft_error_from_errno(start.error),
				      "dpdk: DPDK does not start: %s (%s); see \"dpdk\" in docs/operations.md",
				      rte_strerror(start.error), weft__dpdk_complaint());
	}
	weft_log(WEFT_LOG_INFO, "dpdk", "started DPDK huge pages %s", start.huge ? "yes" : "no");
	return 0;
}

int weft__dpdk_start(const char *first_device)
{
	int rc = 0;

	pthread_mutex_lock(&lock);
	if (!started)
		rc = start_now(first_device);
	started |= rc == 0;
	pthread_mutex_unlock(&lock);
	return rc;
}

bool weft__dpdk_has_huge_pages(void)
{
	return rte_eal_has_hugepages();
}
