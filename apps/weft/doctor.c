/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft doctor`: runs every check. Exit status: 0 all is well, 1 something costs performance, 2 something will fail.
 * Bad usage is 2 as well, with one line on standard error and no report.
 */
#include "checks.h"
#include "command.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct doctor {
	struct machine machine;
	bool json;
	unsigned int count[SEVERITY_FAIL + 1];
	json_t *report;
};

static const char *const severity_names[] = {"ok", "warn", "fail"};

static const struct argp_option options[] = {
	{"json", 'j', NULL, 0, "print JSON", 0},
	MACHINE_OPTIONS,
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct doctor *doctor = state->input;

	if (key != 'j')
		return machine_option(&doctor->machine, key, arg);
	doctor->json = true;
	return 0;
}

/* ---- what checks write with ---- */

void measured(struct finding *out, const char *format, ...)
{
	size_t len = strlen(out->measured);
	va_list args;

	va_start(args, format);
	vsnprintf(out->measured + len, sizeof out->measured - len, format, args);
	va_end(args);
}

void needed(struct finding *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(out->needed, sizeof out->needed, format, args);
	va_end(args);
}

void fix(struct finding *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(out->fix, sizeof out->fix, format, args);
	va_end(args);
}

void worsen(struct finding *out, enum severity severity)
{
	if (severity > out->severity)
		out->severity = severity;
}

const char *cpus_text(const struct weft_cpuset *set)
{
	static char texts[4][96];
	static unsigned int next;

	return weft_cpuset_format(set, texts[next++ % 4], sizeof texts[0]);
}

/* ---- the report ---- */

static void report(struct doctor *doctor, const char *name, const struct finding *found)
{
	doctor->count[found->severity]++;
	json_array_append_new(doctor->report, json_pack("{s:s,s:s,s:s,s:s,s:s}", "name", name, "severity",
							severity_names[found->severity], "measured", found->measured,
							"needed", found->needed, "fix", found->fix));
	if (doctor->json)
		return;
	printf("%-4s  %-22s  %s\n", severity_names[found->severity], name, found->measured);
	if (found->severity != SEVERITY_OK)
		printf("      needed: %s\n      fix: %s\n", found->needed, found->fix);
}

static void run_checks(struct doctor *doctor, const struct check *check)
{
	for (; check->name; check++) {
		struct finding found = {.severity = SEVERITY_OK};

		if (check->tries && !doctor->machine.live)
			continue;
		check->run(&doctor->machine, &found);
		report(doctor, check->name, &found);
	}
}

static enum severity worst(const struct doctor *doctor)
{
	if (doctor->count[SEVERITY_FAIL])
		return SEVERITY_FAIL;
	return doctor->count[SEVERITY_WARN] ? SEVERITY_WARN : SEVERITY_OK;
}

static void finish(const struct doctor *doctor)
{
	const unsigned int *count = doctor->count;
	json_t *all;

	if (!doctor->json) {
		printf("%u ok, %u warn, %u fail\n", count[SEVERITY_OK], count[SEVERITY_WARN], count[SEVERITY_FAIL]);
		return;
	}
	all = json_pack("{s:s,s:i,s:i,s:i,s:O}", "worst", severity_names[worst(doctor)], "ok", (int)count[SEVERITY_OK],
			"warn", (int)count[SEVERITY_WARN], "fail", (int)count[SEVERITY_FAIL], "checks", doctor->report);
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

int command_doctor(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		NULL,
		"Checks what costs performance or will fail: what was measured, what is needed, how to fix it.\v"
		"Of another machine (--root with --xml or --synthetic) only files are looked at; nothing is tried.\n"
		"Exit status: 0 all is well, 1 something costs performance, 2 something will fail "
		"(bad usage is 2 too, with one line and no report).",
		NULL,
		NULL,
		NULL};
	struct doctor doctor = {.json = false};
	int status;

	machine_init(&doctor.machine);
	parse_arguments(&argp, argc, argv, &doctor);
	status = machine_open(&doctor.machine);
	if (status == 0 && !doctor.machine.root)
		usage_error("a topology alone has nothing to check: give a copy of that machine's /proc and "
			    "/sys with --root");
	if (status) {
		machine_close(&doctor.machine);
		return status;
	}
	doctor.report = json_array();
	if (doctor.machine.to) /* first: its address may be bad usage */
		run_checks(&doctor, peer_checks);
	run_checks(&doctor, cpu_checks);
	run_checks(&doctor, noise_checks);
	run_checks(&doctor, memory_checks);
	run_checks(&doctor, system_checks);
	finish(&doctor);
	json_decref(doctor.report);
	machine_close(&doctor.machine);
	return (int)worst(&doctor);
}
