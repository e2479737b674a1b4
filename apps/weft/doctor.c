/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft doctor`: runs every check. Exit status: 0 all is well, 1 something costs performance, 2 something will fail.
 * Bad usage is 2 as well, with one line on standard error and no report.
 */
#include "checks.h"
#include "command.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct doctor {
	const char *root;
	bool json;
	enum severity worst;
	json_t *report;
};

static const char *const severity_names[] = {"ok", "warn", "fail"};

static const struct argp_option options[] = {
	{"json", 'j', NULL, 0, "print JSON", 0},
	{"root", 'r', "DIR", 0, "read files below DIR instead of /", 0},
	{0},
};

const char *read_line(const char *root, const char *path, char *text, size_t size_bytes)
{
	char full[512];
	FILE *file;

	*text = '\0';
	snprintf(full, sizeof full, "%s%s", root, path);
	file = fopen(full, "re");
	if (!file)
		return text;
	if (fgets(text, (int)size_bytes, file))
		text[strcspn(text, "\n")] = '\0';
	fclose(file);
	return text;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct doctor *doctor = state->input;

	switch (key) {
	case 'j': doctor->json = true; return 0;
	case 'r': doctor->root = arg; return 0;
	case ARGP_KEY_ARG: usage_error("doctor: unexpected argument '%.40s'", arg);
	default: return ARGP_ERR_UNKNOWN;
	}
}

static void run_checks(struct doctor *doctor, const struct check *check)
{
	for (; check->name; check++) {
		struct finding found = {.severity = SEVERITY_OK};

		check->run(doctor->root, &found);
		if (found.severity > doctor->worst)
			doctor->worst = found.severity;
		json_array_append_new(doctor->report, json_pack("{s:s,s:s,s:s,s:s,s:s}", "name", check->name, "severity",
			severity_names[found.severity], "measured", found.measured, "needed", found.needed, "fix", found.fix));
		if (doctor->json)
			continue;
		printf("%-4s  %-22s  %s\n", severity_names[found.severity], check->name, found.measured);
		if (found.severity != SEVERITY_OK)
			printf("      needed: %s\n      fix: %s\n", found.needed, found.fix);
	}
}

int command_doctor(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL,
		"Checks what costs performance or will fail.\vExit status: 0 all is well, 1 warnings, 2 something will fail "
		"(bad usage is 2 too, with one line and no report).", NULL, NULL, NULL};
	struct doctor doctor = {.root = ""};

	parse_arguments(&argp, argc, argv, &doctor);
	doctor.report = json_array();
	run_checks(&doctor, cpu_checks);
	run_checks(&doctor, memory_checks);
	if (doctor.json) {
		json_t *all = json_pack("{s:s,s:O}", "worst", severity_names[doctor.worst], "checks", doctor.report);

		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(all);
	}
	json_decref(doctor.report);
	return (int)doctor.worst;
}
