/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine that `weft info` and `weft doctor` look at, with the options that choose it: this one, or another that is
 * described by an hwloc topology and, for what its kernel says, a copy of its /proc and /sys.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <argp.h>
#include <weft/plan.h>

struct machine {
	const char *root; /* "": the real files. NULL: none, only a topology is known */
	bool live;        /* this machine: things can be tried */
	struct weft_topology_opts topology_opts;
	struct weft_plan_opts plan_opts;
	const char *cores;
	const char *driver, *to, *security; /* what is tried beside; NULL: nothing */
	struct weft_cpuset list;
	struct weft_topology *topology;
	struct weft_topology_summary summary;
	struct weft_cpu_limits limits;
	struct weft_plan *plan;
	struct weft_cpuset worker_cpus; /* of the plan */
	uint64_t began_ticks, began_ns; /* both clocks at open, to compare them later */
};

#define MACHINE_KEY_SECURITY 300
#define MACHINE_OPTIONS                                                                                              \
	{"workers", 'w', "N", 0, "plan for N workers (1)", 0},                                                       \
		{"cores", 'c', "LIST", 0, "only these CPUs for workers: '0-3,8' or 'package:1.core:0-3'", 0},        \
		{"synthetic", 's', "TEXT", 0, "another machine: 'package:2 numa:2 core:8 pu:2'", 0},                 \
		{"xml", 'x', "FILE", 0, "another machine: what `lstopo --of xml` wrote there", 0},                   \
		{"driver", 'D', "NAME", 0, "try a node over this driver: udp", 0},                                   \
		{"to", 't', "ADDRESS", 0, "ask who answers there: udp:10.0.0.2:7000", 0},                            \
		{"security",                                                                                         \
		 MACHINE_KEY_SECURITY,                                                                               \
		 "none",                                                                                             \
		 0,                                                                                                  \
		 "needed beyond this machine: the network is trusted, as nothing is encrypted yet",                  \
		 0},                                                                                                 \
	{                                                                                                            \
		"root", 'r', "DIR", 0, "another machine: a copy of its /proc and /sys; with --synthetic or --xml", 0 \
	}

/* The defaults. Keeps command. */
void machine_init(struct machine *machine);
/* Takes one of its options; ARGP_ERR_UNKNOWN for others. Keeps arg. */
error_t machine_option(struct machine *machine, int key, char *arg);
/* Reads all of it and makes the plan: 0, or the exit status, after one line of what is wrong. */
int machine_open(struct machine *machine);
void machine_close(struct machine *machine);

/* Where nodes meet: $WEFT_RUNTIME_DIR, or NULL where there is none, as nodes see it. */
const char *machine_runtime_dir(void);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t machine_monotonic_ns(void);

#endif
