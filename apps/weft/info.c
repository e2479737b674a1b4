/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft info`: the machine, the core plan, and what is degraded.
 */
#include "command.h"

#include <weft/errors.h>
#include <weft/plan.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct info {
	struct weft_topology_opts topology_opts;
	struct weft_plan_opts plan_opts;
	const char *cores;
	bool json;
	struct weft_topology *topology;
	struct weft_cpu_limits limits;
	struct weft_cpuset list;
	struct weft_plan *plan;
};

static const struct argp_option options[] = {
	{"json", 'j', NULL, 0, "print JSON", 0},
	{"synthetic", 's', "TEXT", 0, "plan for a described machine: 'package:2 numa:2 core:8 pu:2'", 0},
	{"xml", 'x', "FILE", 0, "plan for the machine in an hwloc XML file", 0},
	{"workers", 'w', "N", 0, "plan for N workers (default 1)", 0},
	{"cores", 'c', "LIST", 0, "use only these for workers: '0-3,8' or 'package:1.core:0-3'", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct info *info = state->input;
	char *end;

	switch (key) {
	case 'j': info->json = true; return 0;
	case 's': info->topology_opts.synthetic = arg; return 0;
	case 'x': info->topology_opts.xml_path = arg; return 0;
	case 'c': info->cores = arg; return 0;
	case 'w':
		info->plan_opts.workers = (unsigned int)strtoul(arg, &end, 10);
		if (*arg < '0' || *arg > '9' || *end || strlen(arg) > 6)
			usage_error("info: '%.40s' is not a number of workers", arg);
		return 0;
	case ARGP_KEY_ARG: usage_error("info: unexpected argument '%.40s'", arg);
	default: return ARGP_ERR_UNKNOWN;
	}
}

static json_t *set_json(const struct weft_cpuset *set)
{
	char text[1024];

	return json_string(weft_cpuset_format(set, text, sizeof text));
}

static json_t *threads_json(const struct info *info)
{
	json_t *list = json_array();
	const struct weft_plan_entry *e;

	for (unsigned int i = 0; (e = weft_plan_at(info->plan, i)); i++)
		json_array_append_new(list, json_pack("{s:s,s:i,s:i,s:i,s:i,s:b,s:b}", "role", weft_role_name(e->role),
			"index", (int)e->index, "cpu", (int)e->cpu, "core", (int)e->core, "numa", (int)e->numa,
			"shares_cpu", e->shares_cpu, "shares_core", e->shares_core));
	return list;
}

static void print_json(const struct info *info, const struct weft_topology_summary *s)
{
	json_t *root = json_pack("{s:i,s:i,s:i,s:i,s:I,s:b}", "packages", (int)s->packages, "numa_nodes",
		(int)s->numa_nodes, "cores", (int)s->cores, "cpus", (int)s->cpus, "memory_bytes",
		(json_int_t)s->memory_bytes, "this_machine", s->this_machine);
	json_t *devices = json_array(), *degraded = json_array();
	const struct weft_plan_reason *reason;
	struct weft_topology_device d;

	for (unsigned int i = 0; weft_topology_device_at(info->topology, i, &d); i++)
		json_array_append_new(devices, json_pack("{s:s,s:s,s:s,s:i}", "kind", weft_device_kind_name(d.kind),
			"name", d.name, "pci", d.pci, "numa", d.numa));
	for (unsigned int i = 0; (reason = weft_plan_reason_at(info->plan, i)); i++)
		json_array_append_new(degraded, json_pack("{s:s,s:s}", "what", weft_plan_code_name(reason->code),
			"why", reason->text));
	json_object_set_new(root, "affinity", set_json(&info->limits.affinity));
	json_object_set_new(root, "isolated", set_json(&info->limits.isolated));
	json_object_set_new(root, "plan", threads_json(info));
	json_object_set_new(root, "devices", devices);
	json_object_set_new(root, "degraded", degraded);
	json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
}

static void print_text(const struct info *info, const struct weft_topology_summary *s)
{
	const struct weft_plan_reason *reason;
	const struct weft_plan_entry *e;
	struct weft_topology_device d;
	struct weft_topology_numa n;
	char text[256];

	printf("machine   packages %u  numa %u  cores %u  cpus %u\n", s->packages, s->numa_nodes, s->cores, s->cpus);
	for (unsigned int i = 0; weft_topology_numa_at(info->topology, i, &n); i++)
		printf("numa %-4u cpus %s  memory %llu MiB\n", n.node, weft_cpuset_format(&n.cpus, text, sizeof text),
		       (unsigned long long)(n.memory_bytes >> 20));
	for (unsigned int i = 0; weft_topology_device_at(info->topology, i, &d); i++)
		printf("device    %s %s %s  numa %d\n", weft_device_kind_name(d.kind), d.name, d.pci, d.numa);
	if (s->this_machine)
		printf("isolated  %s\n", weft_cpuset_format(&info->limits.isolated, text, sizeof text));
	for (unsigned int i = 0; (e = weft_plan_at(info->plan, i)); i++)
		printf("plan      %s %u  cpu %u  core %u  numa %u%s\n", weft_role_name(e->role), e->index, e->cpu, e->core,
		       e->numa, e->shares_cpu ? "  shares its cpu" : e->shares_core ? "  shares its core" : "");
	for (unsigned int i = 0; (reason = weft_plan_reason_at(info->plan, i)); i++)
		printf("degraded  %s\n", reason->text);
}

/* Options that do not fit the machine are bad usage; what the system refuses is a failure. */
static int status_of(int err)
{
	fprintf(stderr, "weft: info: %s\n", weft_last_error());
	return err == -WEFT_EINVAL || err == -WEFT_ERANGE || err == -WEFT_ENOENT ? STATUS_USAGE : 1;
}

int command_info(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, "Shows what weft finds on this machine.", NULL, NULL, NULL};
	struct weft_topology_summary summary;
	struct info info = {.json = false};
	int err;

	weft_topology_opts_init(&info.topology_opts, sizeof info.topology_opts);
	weft_plan_opts_init(&info.plan_opts, sizeof info.plan_opts);
	info.topology_opts.devices = true;
	parse_arguments(&argp, argc, argv, &info);
	err = weft_topology_open(&info.topology_opts, &info.topology);
	if (err)
		return status_of(err);
	weft_topology_describe(info.topology, &summary);
	weft_cpu_limits_none(&info.limits);
	if (summary.this_machine)
		weft_cpu_limits_read(NULL, &info.limits);
	if (info.cores) {
		err = weft_topology_parse_cpus(info.topology, info.cores, &info.list);
		info.plan_opts.worker_cpus = &info.list;
	}
	if (!err)
		err = weft_plan_open(info.topology, &info.limits, &info.plan_opts, &info.plan);
	if (!err)
		(info.json ? print_json : print_text)(&info, &summary);
	weft_plan_close(&info.plan);
	weft_topology_close(&info.topology);
	return err ? status_of(err) : 0;
}
