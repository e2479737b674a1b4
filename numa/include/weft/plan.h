/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core plan: which thread runs on which CPU. A pure function of the topology, of what the system lets this
 * process use, and of the roles wanted: the same input always gives the same plan, on any machine.
 *
 * What it wants, the more important first: one CPU for each worker, one whole core for each (hardware threads of one
 * core are used only when no whole core is free), isolated CPUs for workers, the NUMA node of the device that a
 * worker serves (without one: the node of the control thread), and the first core left for the control thread, which
 * sleeps most of the time and is therefore the first to share. The inherited affinity mask and the cgroup's CPUs are
 * never left. Whatever could not be had is a reason: one sentence with what, why, and what would help.
 */
#ifndef WEFT_PLAN_H
#define WEFT_PLAN_H

#include <weft/topology.h>
#include <weft/worker.h>

WEFT_BEGIN_DECLS

/* "No limit", for the fields that say so. */
#define WEFT_UNLIMITED UINT64_MAX

/* What the control groups of this process allow. */
struct weft_cgroup {
	int version;             /* 2, 1 (also where both are mounted but the controller is in v1), 0: none found */
	struct weft_cpuset cpus; /* empty: no limit */
	uint64_t cpu_milli;      /* CPU time in thousandths of a CPU: the least of all levels; or WEFT_UNLIMITED */
	uint64_t memory_bytes;   /* the least of all levels; or WEFT_UNLIMITED */
	/* the least that a level with a limit still gives, its page cache counted as used */
	uint64_t memory_left_bytes;
	uint64_t pids_left; /* threads and processes that the limits still allow; or WEFT_UNLIMITED */
	char path[256];     /* of the group, as the kernel says it */
};

/* What the system lets this process use of the CPUs. */
struct weft_cpu_limits {
	struct weft_cpuset affinity; /* the calling thread's mask; empty: all */
	struct weft_cpuset isolated; /* kept out of the scheduler's way by isolcpus; may be empty */
	struct weft_cgroup cgroup;
};

/*
 * Reads the cgroup limits (v2 and v1: cpuset, cpu.max or cfs quota, memory, pids) of this process. root is put before
 * every path ("" or NULL: the real ones). What cannot be read counts as no limit. Borrows root. Thread: any.
 */
WEFT_API void weft_cgroup_read(const char *root, struct weft_cgroup *out);
/* No limits at all: for plans of machines that are not this one. Thread: any. */
WEFT_API void weft_cpu_limits_none(struct weft_cpu_limits *out);
/*
 * Reads affinity, isolated CPUs and the cgroup. With a root (not "" or NULL) the affinity too comes from a file
 * (proc/thread-self/status). Borrows root. Thread: any.
 */
WEFT_API void weft_cpu_limits_read(const char *root, struct weft_cpu_limits *out);

enum weft_role { WEFT_ROLE_CONTROL, WEFT_ROLE_WORKER };

struct weft_plan_opts {
	size_t size;
	unsigned int workers;                   /* default 1; at most WEFT_CPU_MAX */
	unsigned int controls;                  /* control threads: 1, or 0 where the application drives everything */
	enum weft_idle idle;                    /* wanted for workers; default WEFT_IDLE_ADAPTIVE */
	const struct weft_cpuset *worker_cpus;  /* only these for workers; NULL: any allowed. Borrowed */
	const struct weft_cpuset *control_cpus; /* only these for control; NULL: any allowed. Borrowed */
	const char *const *near_devices;        /* worker i serves near_devices[i modulo near_count]; borrowed */
	unsigned int near_count;                /* 0: no device */
};

/* One control thread, one worker, no lists, no device. Thread: any. */
WEFT_API void weft_plan_opts_init(struct weft_plan_opts *opts, size_t size);

/* One thread's place. */
struct weft_plan_entry {
	enum weft_role role;
	unsigned int index; /* among its role */
	unsigned int cpu;   /* the operating system's number */
	unsigned int core;  /* index for weft_topology_core_at */
	unsigned int package;
	unsigned int numa;   /* index for weft_topology_numa_at */
	enum weft_idle idle; /* block for control; for workers what was wanted, or yield where a CPU is shared */
	bool shares_cpu;     /* another entry has the same CPU */
	bool shares_core;    /* another entry has another hardware thread of the same core */
};

/* What the plan could not have. */
enum weft_plan_code {
	WEFT_PLAN_WORKERS_SHARE_CPU,  /* more workers than CPUs */
	WEFT_PLAN_CONTROL_SHARES_CPU, /* no CPU is left for control */
	WEFT_PLAN_SHARES_CORE,        /* hardware threads of one core are used */
	WEFT_PLAN_NOT_ISOLATED,       /* isolated CPUs may be used, but are too few */
	WEFT_PLAN_FAR_FROM_DEVICE,    /* a worker is not on its device's NUMA node */
	WEFT_PLAN_QUOTA,              /* the cgroup gives less CPU time than the workers can use */
	WEFT_PLAN_CODE_COUNT
};

struct weft_plan_reason {
	enum weft_plan_code code;
	char text[240]; /* a sentence: what, why, what would help */
};

struct weft_plan;

/*
 * Makes a plan; NULL opts are the defaults. Borrows everything. Gives. More workers than CPUs degrade; these are
 * errors: -WEFT_ERANGE if a listed CPU does not exist or may not be used (the last error names it and who forbids
 * it), -WEFT_ENODEV for an unknown device, -WEFT_EINVAL for absurd numbers or if no CPU is allowed at all,
 * -WEFT_ENOMEM. Thread: any.
 */
WEFT_API int weft_plan_open(const struct weft_topology *topology, const struct weft_cpu_limits *limits,
			    const struct weft_plan_opts *opts, struct weft_plan **out);
/* Frees it; sets *plan to NULL. Thread: owner. */
WEFT_API void weft_plan_close(struct weft_plan **plan);

/* How many threads it places: the control ones come first. Thread: any. */
WEFT_API unsigned int weft_plan_count(const struct weft_plan *plan);
/* The i-th entry, or NULL past the end. Borrowed until close. Thread: any. */
WEFT_API const struct weft_plan_entry *weft_plan_at(const struct weft_plan *plan, unsigned int i);
/* The entry of a role, or NULL. Borrowed until close. Thread: any. */
WEFT_API const struct weft_plan_entry *weft_plan_find(const struct weft_plan *plan, enum weft_role role,
						      unsigned int index);
/* Why it is degraded: the i-th reason, or NULL past the end; none if it has all it wants. Borrowed until close. Thread: any. */
WEFT_API const struct weft_plan_reason *weft_plan_reason_at(const struct weft_plan *plan, unsigned int i);

/* Binds the calling thread to the entry's CPU. Errors as weft_topology_bind. Borrows. Thread: any. */
WEFT_API int weft_plan_bind(const struct weft_topology *topology, const struct weft_plan_entry *entry);

/* "control" or "worker". "workers-share-cpu" and so on. Thread: any. */
WEFT_API const char *weft_role_name(enum weft_role role);
WEFT_API const char *weft_plan_code_name(enum weft_plan_code code);

WEFT_END_DECLS

#endif
