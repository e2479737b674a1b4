/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options, topology, limits and plan of a machine.
 */
#include "machine.h"

#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <weft/driver.h>
#include <weft/errors.h>
#include <weft/net.h>

void machine_init(struct machine *machine)
{
	memset(machine, 0, sizeof *machine);
	weft_topology_opts_init(&machine->topology_opts, sizeof machine->topology_opts);
	weft_plan_opts_init(&machine->plan_opts, sizeof machine->plan_opts);
	machine->topology_opts.devices = true;
}

static unsigned int parse_workers(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > 6 || strspn(text, "0123456789") != len || atoi(text) > WEFT_CPU_MAX)
		usage_error("--workers is '%.40s', it must be a number from 0 to %d", text, WEFT_CPU_MAX);
	return (unsigned int)atoi(text);
}

error_t machine_option(struct machine *machine, int key, char *arg)
{
	switch (key) {
	case 'w':
		machine->plan_opts.workers = parse_workers(arg);
		return 0;
	case 'c':
		machine->cores = arg;
		return 0;
	case 's':
		machine->topology_opts.synthetic = arg;
		return 0;
	case 'x':
		machine->topology_opts.xml_path = arg;
		return 0;
	case 'r':
		machine->root = arg;
		return 0;
	case 'D':
		if (!weft_net_driver_find(arg) && !weft_driver_find(arg))
			usage_error("--driver: %s", weft_last_error());
		machine->driver = arg;
		return 0;
	case 't':
		if (!*arg || strpbrk(arg, ",="))
			usage_error("--to '%.80s' is no address, such as udp:10.0.0.2:7000", arg);
		machine->to = arg;
		return 0;
	case MACHINE_KEY_SECURITY:
		machine->security = arg;
		return 0;
	case ARGP_KEY_ARG:
		usage_error("unexpected argument '%.40s'", arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Which files go with which topology. */
static void choose(struct machine *machine)
{
	bool other = machine->topology_opts.synthetic || machine->topology_opts.xml_path;
	struct stat info;

	machine->live = !other && !machine->root;
	if (!machine->live && (machine->driver || machine->to))
		usage_error("--driver and --to are tried on this machine, and of another one nothing is tried");
	if (machine->root && (stat(machine->root, &info) < 0 || !S_ISDIR(info.st_mode)))
		usage_error("--root '%.200s' is not a folder with a copy of /proc and /sys", machine->root);
	if (machine->root && !other)
		usage_error("--root needs the topology of that machine: give --xml or --synthetic too");
	if (machine->live)
		machine->root = "";
}

uint64_t machine_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Options that do not fit the machine are bad usage; what the system refuses is a failure. */
static int status_of(int err)
{
	command_fail();
	return err == -WEFT_EINVAL || err == -WEFT_ERANGE || err == -WEFT_ENOENT || err == -WEFT_EACCES ? STATUS_USAGE
													: 1;
}

int machine_open(struct machine *machine)
{
	const struct weft_plan_entry *entry;
	int err;

	choose(machine);
	machine->began_ticks = weft_clock_ticks();
	machine->began_ns = machine_monotonic_ns();
	err = weft_topology_open(&machine->topology_opts, &machine->topology);
	if (err)
		return status_of(err);
	weft_topology_describe(machine->topology, &machine->summary);
	weft_cpu_limits_none(&machine->limits);
	if (machine->root)
		weft_cpu_limits_read(machine->root, &machine->limits);
	if (machine->cores) {
		err = weft_topology_parse_cpus(machine->topology, machine->cores, &machine->list);
		machine->plan_opts.worker_cpus = &machine->list;
	}
	if (!err)
		err = weft_plan_open(machine->topology, &machine->limits, &machine->plan_opts, &machine->plan);
	for (unsigned int i = 0; !err && (entry = weft_plan_at(machine->plan, i)); i++)
		if (entry->role == WEFT_ROLE_WORKER)
			weft_cpuset_add(&machine->worker_cpus, entry->cpu);
	return err ? status_of(err) : 0;
}

void machine_close(struct machine *machine)
{
	weft_plan_close(&machine->plan);
	weft_topology_close(&machine->topology);
}

const char *machine_runtime_dir(void)
{
	const char *directory = getenv("WEFT_RUNTIME_DIR");

	return directory && *directory ? directory : NULL;
}
