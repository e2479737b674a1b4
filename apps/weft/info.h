/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft info` in sections. Each puts what it finds into one JSON object, which is all that is printed, as JSON or as
 * text: so neither knows more than the other. What is not known has no key, "no limit" is null.
 */
#ifndef INFO_H
#define INFO_H

#include "machine.h"

#include <jansson.h>

struct info_section {
	void (*find)(const struct machine *machine, json_t *all);
	void (*print)(const json_t *all);
};

extern const struct info_section hardware_sections[], system_sections[], weft_sections[]; /* end with NULLs */

/* ---- reading the object back; a missing key is "", 0 or false ---- */
const char *info_text(const json_t *object, const char *key);
long long info_number(const json_t *object, const char *key);
bool info_flag(const json_t *object, const char *key);
bool info_has(const json_t *object, const char *key);
/* "8 MiB", "48 KiB", "1 GiB": the largest unit that leaves a whole number; "unlimited" for null, "?" without the key.
 * Each call has a buffer of its own among eight. */
const char *info_size(const json_t *object, const char *key);
/* The same for a plain number. */
const char *info_count(const json_t *object, const char *key);

/* ---- putting into it ---- */
json_t *info_cpus(const struct weft_cpuset *set);
/* Sets a number, null for no limit, or nothing when it is not known. */
void info_put(json_t *object, const char *key, uint64_t value);

#endif
