/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine as hwloc sees it: packages, NUMA nodes, caches, cores, CPUs (hardware threads), and devices with the
 * place they are attached to. Everything is read once, at open; what the functions below give are copies of small
 * values, in hwloc's logical order, which puts neighbours next to each other.
 *
 * Two costs: without devices a topology opens in a few milliseconds, and that is what a node does. Devices make hwloc
 * walk the PCI bus, which takes several times longer: ask for them only where they are needed.
 *
 * A topology can also be made from a synthetic description or an XML file, so that plans for big machines can be made
 * and tested anywhere; nothing can be bound with such a one.
 */
#ifndef WEFT_TOPOLOGY_H
#define WEFT_TOPOLOGY_H

#include <weft/cpuset.h>

WEFT_BEGIN_DECLS

struct weft_topology;

struct weft_topology_opts {
	size_t size;
	const char *synthetic; /* hwloc's synthetic form: "package:2 numa:2 core:8 pu:2"; NULL: not used */
	const char *xml_path;  /* a file written by `lstopo --of xml`; NULL: not used */
	bool devices;          /* look for PCI and OS devices too: slow. From XML they are there in any case */
};

/* Fills in the defaults: this machine, without devices. Thread: any. */
WEFT_API void weft_topology_opts_init(struct weft_topology_opts *opts, size_t size);

/*
 * Reads a topology; NULL opts are the defaults. Borrows the strings. Gives. Leaves the caller's binding alone.
 * -WEFT_EINVAL for a bad description or for two sources at once, -WEFT_ENOENT or -WEFT_EACCES for the XML file,
 * -WEFT_ENOMEM, -WEFT_ERANGE for CPU numbers from WEFT_CPU_MAX on. Thread: any.
 */
WEFT_API int weft_topology_open(const struct weft_topology_opts *opts, struct weft_topology **out);
/* Frees it; sets *topology to NULL. Nothing may use it any more. Thread: owner. */
WEFT_API void weft_topology_close(struct weft_topology **topology);

struct weft_topology_summary {
	unsigned int packages, numa_nodes, caches, cores, cpus, devices;
	uint64_t memory_bytes; /* 0: not known (synthetic) */
	unsigned int smt;      /* most CPUs in one core */
	bool this_machine;     /* false for synthetic and XML ones */
	bool knows_devices;    /* false: devices were not looked for */
};

/* How many of each there are. Thread: any. */
WEFT_API void weft_topology_describe(const struct weft_topology *topology, struct weft_topology_summary *out);

/* One hardware thread. */
struct weft_topology_cpu {
	unsigned int cpu;     /* the operating system's number */
	unsigned int core;    /* index for weft_topology_core_at */
	unsigned int package; /* logical number */
	unsigned int numa;    /* index for weft_topology_numa_at */
	unsigned int sibling; /* which of its core's hardware threads: 0 is the first */
};

struct weft_topology_core {
	struct weft_cpuset cpus;
	unsigned int package;
	unsigned int numa;
};

struct weft_topology_numa {
	struct weft_cpuset cpus; /* empty for memory without CPUs */
	unsigned int node;       /* the operating system's number */
	uint64_t memory_bytes;
};

enum weft_cache_kind { WEFT_CACHE_UNIFIED, WEFT_CACHE_DATA, WEFT_CACHE_INSTRUCTION };

struct weft_topology_cache {
	struct weft_cpuset cpus;
	enum weft_cache_kind kind;
	unsigned int level;
	uint64_t size_bytes;
	unsigned int line_bytes; /* 0: not known */
};

enum weft_device_kind {
	WEFT_DEVICE_NETWORK, /* a network interface: "eth0" */
	WEFT_DEVICE_RDMA,    /* an RDMA device: "mlx5_0" */
	WEFT_DEVICE_BLOCK,   /* a disk or NVMe namespace: "nvme0n1" */
	WEFT_DEVICE_GPU,
	WEFT_DEVICE_DMA, /* a copy engine */
	WEFT_DEVICE_PCI, /* a PCI function without a device of the operating system: "0000:81:00.0" */
};

struct weft_topology_device {
	enum weft_device_kind kind;
	char name[64];
	char pci[16];           /* "0000:81:00.0", or "" for what is not on the PCI bus */
	unsigned int vendor_id; /* PCI numbers, 0 if not on it */
	unsigned int device_id;
	int numa;                /* index for weft_topology_numa_at; -1: not nearer to any of several */
	struct weft_cpuset cpus; /* those near it */
};

/*
 * Copies the i-th cpu, core, NUMA node, cache or device; false past the end, and *out is untouched. Thread: any.
 */
WEFT_API bool weft_topology_cpu_at(const struct weft_topology *topology, unsigned int i, struct weft_topology_cpu *out);
WEFT_API bool weft_topology_core_at(const struct weft_topology *topology, unsigned int i,
				    struct weft_topology_core *out);
WEFT_API bool weft_topology_numa_at(const struct weft_topology *topology, unsigned int i,
				    struct weft_topology_numa *out);
WEFT_API bool weft_topology_cache_at(const struct weft_topology *topology, unsigned int i,
				     struct weft_topology_cache *out);
WEFT_API bool weft_topology_device_at(const struct weft_topology *topology, unsigned int i,
				      struct weft_topology_device *out);

/* Finds a CPU by the operating system's number. False if there is none. Thread: any. */
WEFT_API bool weft_topology_find_cpu(const struct weft_topology *topology, unsigned int cpu,
				     struct weft_topology_cpu *out);
/*
 * Finds a device by name ("eth0", "mlx5_0") or PCI address ("0000:81:00.0", "81:00.0"). -WEFT_ENODEV; the last error
 * names the known ones, or says that devices were not looked for. Borrows name. Thread: any.
 */
WEFT_API int weft_topology_find_device(const struct weft_topology *topology, const char *name,
				       struct weft_topology_device *out);

/*
 * Distance between two NUMA nodes (indices) as the firmware tells it: 10 is local, 20 twice as far. Where it tells
 * nothing: 10 for the same node, 20 for others. Thread: any.
 */
WEFT_API unsigned int weft_topology_distance(const struct weft_topology *topology, unsigned int from, unsigned int to);

/*
 * All CPUs of the machine, also those that the caller may not use. Thread: any.
 */
WEFT_API void weft_topology_cpus(const struct weft_topology *topology, struct weft_cpuset *out);

/*
 * Reads a set of CPUs: the list form "0-3,8" (the operating system's numbers) or places in hwloc's form, separated by
 * commas or spaces: "core:2", "package:1.core:0-3", "numa:0", "pu:5", "L3:1.core:all" (hwloc's logical numbers, each
 * counted within the place before the point; ranges "0-3", "2-", "all", "odd", "even"). The two forms do not mix.
 * Borrows text. -WEFT_EINVAL for what is malformed, -WEFT_ERANGE for what the machine does not have; the last error
 * quotes the bad token. Thread: any.
 */
WEFT_API int weft_topology_parse_cpus(const struct weft_topology *topology, const char *text, struct weft_cpuset *out);

/*
 * Binds the calling thread to these CPUs. -WEFT_ENOTSUP if the topology is not of this machine, -WEFT_EINVAL if none
 * of the CPUs may be used (off line, or outside the cgroup's set), -WEFT_EPERM. Thread: any.
 */
WEFT_API int weft_topology_bind(const struct weft_topology *topology, const struct weft_cpuset *cpus);

/*
 * The NUMA node (the operating system's number) on which all CPUs are that the calling thread may run on; -1 if they are
 * on several, or if the machine has only one. Needs no topology. Thread: any.
 */
WEFT_API int weft_topology_numa_here(void);

/* "network", "rdma", "block", "gpu", "dma", "pci". Thread: any. */
WEFT_API const char *weft_device_kind_name(enum weft_device_kind kind);

WEFT_END_DECLS

#endif
