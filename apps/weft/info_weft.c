/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections of `weft info` on weft itself: drivers, where nodes meet, settings, the core plan, what is degraded.
 */
#include "info.h"
#include "trial.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/driver.h>
#include <weft/errors.h>
#include <weft/net.h>

/* ---- drivers ---- */

static void put_driver(json_t *list, const char *name, uint32_t caps, bool wakes, const char *copies)
{
	json_array_append_new(list,
			      json_pack("{s:s,s:b,s:b,s:b,s:b,s:s}", "name", name, "reliable",
					(caps & WEFT_DRIVER_RELIABLE) != 0, "lends", (caps & WEFT_DRIVER_LOANS) != 0,
					"wakes", wakes, "local", (caps & WEFT_DRIVER_LOCAL) != 0, "copies",
					copies ? copies : "not known"));
}

static void find_drivers(const struct machine *machine, json_t *all)
{
	const struct weft_driver *driver;
	const struct weft_net_driver *net;
	json_t *list = json_array();

	(void)machine;
	for (unsigned int i = 0; (driver = weft_driver_at(i)); i++)
		put_driver(list, driver->name, driver->caps, (driver->caps & WEFT_DRIVER_WAKES) != 0, driver->copies);
	for (unsigned int i = 0; (net = weft_net_driver_at(i)); i++)
		put_driver(list, net->name, 0, (net->caps & WEFT_NET_WAKES) != 0, net->copies);
	json_object_set_new(all, "drivers", list);
}

static void print_drivers(const json_t *all)
{
	const json_t *driver;
	size_t i;

	json_array_foreach(json_object_get(all, "drivers"), i, driver)
		printf("driver    %s  %s, %s, %s%s  copies: %s\n", info_text(driver, "name"),
		       info_flag(driver, "reliable") ? "reliable" : "datagrams",
		       info_flag(driver, "lends") ? "lends" : "copies",
		       info_flag(driver, "wakes") ? "wakes sleepers" : "is polled by timer",
		       info_flag(driver, "local") ? ", this machine only" : "", info_text(driver, "copies"));
}

/* ---- settings ---- */

static void put_setting(json_t *list, const char *name, json_t *value, const char *origin)
{
	json_array_append_new(list, json_pack("{s:s,s:o,s:s}", "name", name, "value", value, "origin", origin));
}

/* What a node opened by default would have, and where each value comes from. */
static void find_settings(const struct machine *machine, json_t *all)
{
	static const char *const idles[] = {"adaptive", "spin", "yield", "block"};
	const char *directory = machine_runtime_dir();
	struct weft_node_opts opts;
	json_t *list = json_array();
	char meeting[256];

	weft_node_opts_init(&opts, sizeof opts);
	put_setting(list, "worker_count", json_integer(machine->plan_opts.workers),
		    machine->plan_opts.workers == opts.worker_count ? "default" : "option");
	put_setting(list, "cores", machine->cores ? json_string(machine->cores) : json_null(),
		    machine->cores ? "option" : "default");
	put_setting(list, "idle", json_string(idles[opts.idle]), "default");
	put_setting(list, "pages", json_string(weft_pages_name(opts.pages)), "default");
	put_setting(list, "memory_max_bytes", json_integer((json_int_t)opts.memory_max_bytes), "default");
	put_setting(list, "link_idle_ns", json_integer((json_int_t)opts.link_idle_ns), "default");
	put_setting(list, "links_max", json_integer(opts.links_max), "default");
	put_setting(list, "channels_max", json_integer(opts.channels_max), "default");
	put_setting(list, "hardening", json_boolean(opts.hardening), "default");
	put_setting(list, "runtime_dir", directory ? json_string(directory) : json_null(),
		    directory ? "WEFT_RUNTIME_DIR" : "default");
	json_object_set_new(all, "settings", list);
	if (directory)
		snprintf(meeting, sizeof meeting, "%s/NAME", directory);
	else
		snprintf(meeting, sizeof meeting, "@weft/%u/NAME", (unsigned int)geteuid());
	json_object_set_new(all, "rendezvous",
			    json_pack("{s:s,s:s}", "kind", directory ? "directory" : "abstract", "address", meeting));
}

static void print_setting(const json_t *setting)
{
	const json_t *value = json_object_get(setting, "value");
	const char *name = info_text(setting, "name"), *origin = info_text(setting, "origin");

	printf("  %s ", name);
	if (strstr(name, "_bytes"))
		printf("%s", info_size(setting, "value"));
	else if (strstr(name, "_ns"))
		printf("%lld s", (long long)json_integer_value(value) / 1000000000);
	else if (json_is_integer(value))
		printf("%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		printf("%s", json_is_true(value) ? "on" : "off");
	else
		printf("%s", json_is_null(value) ? "-" : json_string_value(value));
	if (strcmp(origin, "default") != 0)
		printf(" (%s)", origin);
}

static void print_settings(const json_t *all)
{
	const json_t *setting, *meeting = json_object_get(all, "rendezvous");
	size_t i;

	printf("nodes     meet at %s (%s)\n", info_text(meeting, "address"),
	       strcmp(info_text(meeting, "kind"), "abstract") == 0 ? "abstract sockets of this network namespace"
								   : "files");
	printf("settings");
	json_array_foreach(json_object_get(all, "settings"), i, setting)
	{
		if (i == 5)
			printf("\n        ");
		print_setting(setting);
	}
	putchar('\n');
}

/* ---- core plan ---- */

static void find_plan(const struct machine *machine, json_t *all)
{
	const struct weft_plan_entry *e;
	json_t *list = json_array();

	for (unsigned int i = 0; (e = weft_plan_at(machine->plan, i)); i++)
		json_array_append_new(list, json_pack("{s:s,s:i,s:i,s:i,s:i,s:b,s:b}", "role", weft_role_name(e->role),
						      "index", (int)e->index, "cpu", (int)e->cpu, "core", (int)e->core,
						      "numa", (int)e->numa, "shares_cpu", e->shares_cpu, "shares_core",
						      e->shares_core));
	json_object_set_new(all, "plan", list);
}

static void print_plan(const json_t *all)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(all, "plan"), i, entry)
		printf("plan      %s %lld  cpu %lld  core %lld  numa %lld%s\n", info_text(entry, "role"),
		       info_number(entry, "index"), info_number(entry, "cpu"), info_number(entry, "core"),
		       info_number(entry, "numa"),
		       info_flag(entry, "shares_cpu")    ? "  shares its cpu"
		       : info_flag(entry, "shares_core") ? "  shares its core"
							 : "");
}

/* ---- degraded ---- */

static void add_degraded(json_t *list, const char *what, const char *why, unsigned int require)
{
	json_array_append_new(list, json_pack("{s:s,s:s,s:o}", "what", what, "why", why, "require",
					      require ? json_string(weft_require_name((enum weft_require)require))
						      : json_null()));
}

static bool is_plan_reason(const struct weft_plan *plan, const char *text)
{
	const struct weft_plan_reason *reason;

	for (unsigned int i = 0; (reason = weft_plan_reason_at(plan, i)); i++)
		if (strcmp(reason->text, text) == 0)
			return true;
	return false;
}

static unsigned int requirement_of(enum weft_plan_code code)
{
	return code == WEFT_PLAN_WORKERS_SHARE_CPU || code == WEFT_PLAN_CONTROL_SHARES_CPU ? WEFT_REQUIRE_PINNING : 0;
}

/* What a node that is opened here says of itself. */
static void add_from_node(const struct machine *machine, json_t *list)
{
	struct weft_node *node;
	const char *text;

	if (trial_node(machine, &node) < 0) {
		add_degraded(list, "node", weft_last_error(), 0);
		return;
	}
	for (unsigned int i = 0; (text = weft_node_degraded(node, i)); i++) {
		unsigned int require = weft_node_degraded_require(node, i);

		if (!is_plan_reason(machine->plan, text))
			add_degraded(list, require ? weft_require_name((enum weft_require)require) : "node", text,
				     require);
	}
	weft_node_close(&node);
}

static void find_degraded(const struct machine *machine, json_t *all)
{
	const struct weft_plan_reason *reason;
	json_t *list = json_array();

	for (unsigned int i = 0; (reason = weft_plan_reason_at(machine->plan, i)); i++)
		add_degraded(list, weft_plan_code_name(reason->code), reason->text, requirement_of(reason->code));
	if (machine->live && trial_has_room(machine))
		add_from_node(machine, list);
	else if (machine->live)
		add_degraded(list, "memory", "too little memory is left to try a node; `weft doctor` says how much", 0);
	json_object_set_new(all, "degraded", list);
}

static void print_degraded(const json_t *all)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(all, "degraded"), i, entry)
		printf("degraded  %s: %s\n", info_text(entry, "what"), info_text(entry, "why"));
}

/* ---- who answers at --to ---- */

static void find_peer(const struct machine *machine, json_t *all)
{
	char name[WEFT_NAME_MAX + 1];

	if (!machine->to)
		return;
	if (trial_reach(machine, name) == 0)
		json_object_set_new(all, "peer", json_pack("{s:s,s:s}", "address", machine->to, "name", name));
	else
		json_object_set_new(all, "peer",
				    json_pack("{s:s,s:n,s:s}", "address", machine->to, "name", "why",
					      weft_last_error()));
}

static void print_peer(const json_t *all)
{
	const json_t *peer = json_object_get(all, "peer");

	if (peer && json_is_string(json_object_get(peer, "name")))
		printf("peer      %s  %s answers\n", info_text(peer, "address"), info_text(peer, "name"));
	else if (peer)
		printf("peer      %s  %s\n", info_text(peer, "address"), info_text(peer, "why"));
}

const struct info_section weft_sections[] = {
	{find_drivers, print_drivers},   {find_settings, print_settings}, {find_plan, print_plan},
	{find_degraded, print_degraded}, {find_peer, print_peer},         {NULL, NULL},
};
