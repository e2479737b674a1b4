/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft info`: the machine, what the system lets weft have of it, the core plan, and what is degraded and why.
 */
#include "info.h"

#include "command.h"
#include "system.h"

#include <stdio.h>
#include <string.h>

struct info {
	struct machine machine;
	bool json;
};

static const struct argp_option options[] = {
	{"json", 'j', NULL, 0, "print JSON", 0},
	MACHINE_OPTIONS,
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct info *info = state->input;

	if (key != 'j')
		return machine_option(&info->machine, key, arg);
	info->json = true;
	return 0;
}

const char *info_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

long long info_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool info_flag(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

bool info_has(const json_t *object, const char *key)
{
	return json_object_get(object, key) != NULL;
}

static const char *with_unit(const json_t *object, const char *key, bool bytes)
{
	static const char *const units[] = {"", " KiB", " MiB", " GiB", " TiB"};
	static char texts[8][32];
	static unsigned int next;
	const json_t *value = json_object_get(object, key);
	long long number = json_integer_value(value);
	char *text = texts[next++ % 8];
	unsigned int unit = 0;

	if (!value || json_is_null(value))
		return value ? "unlimited" : "?";
	/* Sizes that are no whole number of a larger unit are memory in use: MiB is exact enough. */
	while (bytes && unit < 4 && number >= 1024 && (number % 1024 == 0 || unit < 2)) {
		number /= 1024;
		unit++;
	}
	snprintf(text, sizeof texts[0], "%lld%s", number, units[unit]);
	return text;
}

const char *info_size(const json_t *object, const char *key)
{
	return with_unit(object, key, true);
}

const char *info_count(const json_t *object, const char *key)
{
	return with_unit(object, key, false);
}

json_t *info_cpus(const struct weft_cpuset *set)
{
	char text[2048];

	return json_string(weft_cpuset_format(set, text, sizeof text));
}

void info_put(json_t *object, const char *key, uint64_t value)
{
	if (value == SYSTEM_UNKNOWN)
		return;
	json_object_set_new(object, key, value == SYSTEM_UNLIMITED ? json_null() : json_integer((json_int_t)value));
}

static void find(const struct info_section *section, const struct machine *machine, json_t *all)
{
	for (; section->find; section++)
		section->find(machine, all);
}

static void print(const struct info_section *section, const json_t *all)
{
	for (; section->find; section++)
		section->print(all);
}

int command_info(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		NULL,
		"Shows the machine, what the system lets weft have of it, the core plan, and what is degraded and "
		"why.\v"
		"Of another machine only what --xml, --synthetic and --root tell is shown; nothing is tried.\n"
		"Exit status: 0, 1 when this machine cannot be read, 2 for bad usage.",
		NULL,
		NULL,
		NULL};
	struct info info = {.json = false};
	json_t *all;
	int status;

	machine_init(&info.machine);
	parse_arguments(&argp, argc, argv, &info);
	status = machine_open(&info.machine);
	all = json_object();
	if (status == 0) {
		find(hardware_sections, &info.machine, all);
		find(system_sections, &info.machine, all);
		find(weft_sections, &info.machine, all);
	}
	if (status == 0 && info.json) {
		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
	} else if (status == 0) {
		print(hardware_sections, all);
		print(system_sections, all);
		print(weft_sections, all);
	}
	json_decref(all);
	machine_close(&info.machine);
	return status;
}
