/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The specification's parser: a table of keys, each given once (fail: once for each operation). Numbers are decimal or
 * hexadecimal, probabilities decimal from 0 to 1 with at most nine digits behind the point.
 */
#include "fault/spec.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/nearest.h>

#define TEXT_MAX 1024
#define WORD_MAX 63
#define DELAY_US_DEFAULT 100
#define DELAY_US_MAX 10000000
#define REORDER_BY_DEFAULT 3
#define REORDER_BY_MAX 1000

enum kind { PROBABILITY, NUMBER, OPERATION };

static const struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	uint64_t min, max; /* of a number */
} keys[] = {
	{"seed", NUMBER, offsetof(struct fault_spec, seed), 0, UINT64_MAX},
	{"again", PROBABILITY, offsetof(struct fault_spec, again), 0, 0},
	{"again_at", NUMBER, offsetof(struct fault_spec, again_at), 1, UINT64_MAX},
	{"delay", PROBABILITY, offsetof(struct fault_spec, delay), 0, 0},
	{"delay_us", NUMBER, offsetof(struct fault_spec, delay_us), 1, DELAY_US_MAX},
	{"cut", NUMBER, offsetof(struct fault_spec, cut), 1, UINT64_MAX},
	{"fail", OPERATION, 0, 0, 0},
	{"drop", PROBABILITY, offsetof(struct fault_spec, drop), 0, 0},
	{"duplicate", PROBABILITY, offsetof(struct fault_spec, duplicate), 0, 0},
	{"corrupt", PROBABILITY, offsetof(struct fault_spec, corrupt), 0, 0},
	{"reorder", PROBABILITY, offsetof(struct fault_spec, reorder), 0, 0},
	{"reorder_by", NUMBER, offsetof(struct fault_spec, reorder_by), 1, REORDER_BY_MAX},
};
#define KEY_COUNT (sizeof keys / sizeof *keys)

static const char *const operations[FAULT_OP_COUNT] = {"device_open", "port_open", "connect", "accept", "share"};

static bool read_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	bool hexadecimal = text[0] == '0' && text[1] == 'x';
	const char *digits = hexadecimal ? text + 2 : text;
	unsigned long long value;

	if (!*digits || strspn(digits, hexadecimal ? "0123456789abcdefABCDEF" : "0123456789") != strlen(digits))
		return false;
	errno = 0;
	value = strtoull(digits, NULL, hexadecimal ? 16 : 10);
	if (errno || value < min || value > max)
		return false;
	*out = value;
	return true;
}

/* "0.05" as a number of FAULT_PER. */
static bool read_probability(const char *text, uint32_t *out)
{
	uint32_t value = 0, digit = FAULT_PER;

	if ((text[0] != '0' && text[0] != '1') || (text[1] && (text[1] != '.' || !text[2])))
		return false;
	value = (uint32_t)(text[0] - '0') * FAULT_PER;
	for (const char *at = text + 2; text[1] && *at; at++) {
		digit /= 10;
		if (*at < '0' || *at > '9' || !digit)
			return false;
		value += (uint32_t)(*at - '0') * digit;
		if (value > FAULT_PER)
			return false;
	}
	*out = value;
	return true;
}

static int say_no_operation(const char *value)
{
	const char *near = weft_nearest(value, operations, FAULT_OP_COUNT);

	if (near)
		return weft_set_error(WEFT_EINVAL, "faults: fail=\"%s\" is no operation; the nearest is \"%s\"", value,
				      near);
	return weft_set_error(
		WEFT_EINVAL,
		"faults: fail=\"%s\" is no operation; there are device_open, port_open, connect, accept and share",
		value);
}

/* "connect" or "connect:3". */
static int read_operation(char *value, struct fault_spec *spec)
{
	char *colon = strchr(value, ':');
	unsigned int op = 0;
	uint64_t number = FAULT_EACH;

	if (colon)
		*colon = '\0';
	while (op < FAULT_OP_COUNT && strcmp(operations[op], value) != 0)
		op++;
	if (op == FAULT_OP_COUNT)
		return say_no_operation(value);
	if (colon && !read_number(colon + 1, 1, FAULT_EACH - 1, &number))
		return weft_set_error(WEFT_EINVAL, "faults: fail=%s:\"%s\" is no number of a call, which count from 1",
				      value, colon + 1);
	if (spec->fail_at[op])
		return weft_set_error(WEFT_EINVAL, "faults: fail=%s is given twice", value);
	spec->fail_at[op] = number;
	return 0;
}

static int read_value(const struct key *key, char *value, struct fault_spec *spec)
{
	void *to = (char *)spec + key->offset;

	if (key->kind == OPERATION)
		return read_operation(value, spec);
	if (key->kind == PROBABILITY && !read_probability(value, to))
		return weft_set_error(WEFT_EINVAL, "faults: %s=\"%s\" is no probability, such as 0.05", key->name,
				      value);
	if (key->kind == NUMBER && !read_number(value, key->min, key->max, to))
		return weft_set_error(WEFT_EINVAL, "faults: %s=\"%s\" is no number from %llu to %llu", key->name, value,
				      (unsigned long long)key->min, (unsigned long long)key->max);
	return 0;
}

static const struct key *find_key(const char *name)
{
	for (unsigned int i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static int say_unknown(const char *name)
{
	const char *names[KEY_COUNT], *near;

	for (unsigned int i = 0; i < KEY_COUNT; i++)
		names[i] = keys[i].name;
	near = weft_nearest(name, names, KEY_COUNT);
	if (near)
		return weft_set_error(WEFT_EINVAL, "faults: unknown key \"%s\"; the nearest known one is \"%s\"", name,
				      near);
	return weft_set_error(WEFT_EINVAL, "faults: unknown key \"%s\"; docs/fault.md has a table of them", name);
}

/* One "key=value", which is changed. */
static int read_word(char *word, struct fault_spec *spec, uint64_t *seen)
{
	char *value = strchr(word, '=');
	const struct key *key;

	if (!value)
		return weft_set_error(WEFT_EINVAL, "faults: \"%s\" is not KEY=VALUE", word);
	*value++ = '\0';
	key = find_key(word);
	if (!key)
		return say_unknown(word);
	if (key->kind != OPERATION && *seen & UINT64_C(1) << (key - keys))
		return weft_set_error(WEFT_EINVAL, "faults: %s is given twice", word);
	*seen |= UINT64_C(1) << (key - keys);
	return read_value(key, value, spec);
}

int weft__fault_spec_parse(const char *text, struct fault_spec *out)
{
	struct fault_spec spec = {.delay_us = DELAY_US_DEFAULT, .reorder_by = REORDER_BY_DEFAULT};
	uint64_t seen = 0;
	char word[WORD_MAX + 1];
	int rc = 0;

	text = text ? text : "";
	if (strnlen(text, TEXT_MAX + 1) > TEXT_MAX)
		return weft_set_error(WEFT_EINVAL, "faults: longer than %d bytes", TEXT_MAX);
	while (rc == 0 && *text) {
		size_t len = strcspn(text, ",");

		if (len > WORD_MAX)
			return weft_set_error(WEFT_EINVAL, "faults: \"%.20s...\" is longer than %d bytes", text,
					      WORD_MAX);
		if (text[len] == ',' && !text[len + 1])
			return weft_set_error(WEFT_EINVAL, "faults: nothing after the last comma");
		memcpy(word, text, len);
		word[len] = '\0';
		text += len + (text[len] == ',');
		rc = read_word(word, &spec, &seen);
	}
	if (rc < 0)
		return rc;
	spec.has_seed = seen & UINT64_C(1) << (find_key("seed") - keys);
	*out = spec;
	return 0;
}

const char *weft__fault_spec_loses(const struct fault_spec *spec)
{
	const char *changes = spec->corrupt ? "corrupt" : spec->reorder ? "reorder" : NULL;

	return spec->drop ? "drop" : spec->duplicate ? "duplicate" : changes;
}

const char *weft__fault_spec_needs_paths(const struct fault_spec *spec)
{
	if (spec->cut)
		return "cut";
	if (spec->fail_at[FAULT_ACCEPT])
		return "fail=accept";
	return spec->fail_at[FAULT_SHARE] ? "fail=share" : NULL;
}
