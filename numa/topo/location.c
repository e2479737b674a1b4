/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places in hwloc's form: "package:1.core:0-3". Each level is counted among the objects inside the one before.
 */
#include "topo/topology_private.h"

#include <weft/errors.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* One level of a place: which objects of a type. */
struct level {
	int depth;
	unsigned int first, last, step;
};

#define LEVELS_MAX 8

struct place {
	struct level levels[LEVELS_MAX];
	unsigned int count;
};

static int bad_token(int code, const char *token, const char *why)
{
	return weft_set_error(code, "bad token '%.60s' in the list of cores: %s", token, why);
}

/* "2", "0-3", "2-", "all", "odd", "even". False if it is none of them. */
static bool read_range(const char *text, struct level *level)
{
	char *end;
	unsigned long first, last;

	*level = (struct level){.depth = level->depth, .first = 0, .last = WEFT_CPU_MAX, .step = 1};
	if (strcmp(text, "all") == 0)
		return true;
	if (strcmp(text, "odd") == 0 || strcmp(text, "even") == 0) {
		level->first = text[0] == 'o';
		level->step = 2;
		return true;
	}
	if (!isdigit((unsigned char)*text))
		return false;
	first = strtoul(text, &end, 10);
	last = first;
	if (*end == '-' && !end[1]) {
		end++;
		last = WEFT_CPU_MAX;
	} else if (*end == '-' && isdigit((unsigned char)end[1])) {
		last = strtoul(end + 1, &end, 10);
	}
	if (*end || first > last || first > WEFT_CPU_MAX)
		return false;
	level->first = (unsigned int)first;
	level->last = last < WEFT_CPU_MAX ? (unsigned int)last : WEFT_CPU_MAX;
	return true;
}

/* "package", "socket", "numa", "core", "pu", "cpu", "L2" ... False if the machine has no such level. */
static bool read_type(const struct weft_topology *topology, const char *name, int *depth)
{
	union hwloc_obj_attr_u attr;
	hwloc_obj_type_t type;

	if (!*name || isdigit((unsigned char)*name))
		return false;
	if (strcmp(name, "cpu") == 0)
		name = "pu";
	if (hwloc_type_sscanf(name, &type, &attr, sizeof attr) < 0)
		return false;
	if (type == HWLOC_OBJ_NUMANODE) {
		*depth = HWLOC_TYPE_DEPTH_NUMANODE;
		return true;
	}
	*depth = hwloc_get_type_depth(topology->hwloc, type);
	return *depth >= 0;
}

/* Adds the CPUs of levels i and deeper inside `inside`. Returns how many objects it found at the last level. */
static unsigned int collect(const struct weft_topology *topology, const struct place *place, unsigned int i,
			    hwloc_const_cpuset_t inside, struct weft_cpuset *out, int *err)
{
	const struct level *level = &place->levels[i];
	unsigned int found = 0, at = 0;
	hwloc_obj_t obj = NULL;
	struct weft_cpuset cpus;

	while (!*err && at <= level->last && (obj = hwloc_get_next_obj_by_depth(topology->hwloc, level->depth, obj))) {
		if (!hwloc_bitmap_isincluded(obj->cpuset, inside) || hwloc_bitmap_iszero(obj->cpuset))
			continue;
		if (at >= level->first && (at - level->first) % level->step == 0) {
			if (i + 1 < place->count) {
				found += collect(topology, place, i + 1, obj->cpuset, out, err);
			} else {
				found++;
				*err = weft__topo_copy_set(obj->cpuset, &cpus);
				if (!*err)
					weft_cpuset_or(out, out, &cpus);
			}
		}
		at++;
	}
	/* A number past the end is an error; open ends ("all", "2-") take what there is. */
	if (!*err && level->last < WEFT_CPU_MAX && at <= level->last)
		*err = -WEFT_ERANGE;
	return found;
}

static int parse_place(const struct weft_topology *topology, const char *token, struct weft_cpuset *out)
{
	char copy[128], *at = copy, *part, *colon;
	struct place place = {.count = 0};
	unsigned int found;
	int err = 0;

	if (strlen(token) >= sizeof copy)
		return bad_token(WEFT_EINVAL, token, "it is too long");
	strcpy(copy, token);
	while ((part = strsep(&at, "."))) {
		struct level *level = &place.levels[place.count];

		colon = strchr(part, ':');
		if (!colon)
			return bad_token(WEFT_EINVAL, token,
					 "write a place as TYPE:NUMBER, as in core:2 or package:1.core:0-3");
		*colon = '\0';
		if (place.count++ == LEVELS_MAX)
			return bad_token(WEFT_EINVAL, token, "it has too many levels");
		if (!read_type(topology, part, &level->depth))
			return bad_token(WEFT_EINVAL, token,
					 "this machine has no such level; try package, numa, L3, L2, core or pu");
		if (!read_range(colon + 1, level))
			return bad_token(WEFT_EINVAL, token, "after ':' comes a number, 0-3, 2-, all, odd or even");
	}
	found = collect(topology, &place, 0, hwloc_topology_get_topology_cpuset(topology->hwloc), out, &err);
	if (err == -WEFT_ERANGE || (!err && !found))
		return bad_token(WEFT_ERANGE, token, "the machine does not have so many");
	return err;
}

static int parse_places(const struct weft_topology *topology, const char *text, struct weft_cpuset *out)
{
	char *copy = strdup(text), *at = copy, *token;
	int err = 0;

	if (!copy)
		return weft_set_error(WEFT_ENOMEM, "out of memory for a list of cores");
	while (!err && (token = strsep(&at, ", "))) {
		if (!*token)
			err = bad_token(WEFT_EINVAL, text, "there is nothing between two separators");
		else if (!strchr(token, ':') && isdigit((unsigned char)*token))
			err = bad_token(WEFT_EINVAL, token,
					"plain numbers do not mix with places; write pu:N or core:N");
		else
			err = parse_place(topology, token, out);
	}
	free(copy);
	return err;
}

int weft_topology_parse_cpus(const struct weft_topology *topology, const char *text, struct weft_cpuset *out)
{
	struct weft_cpuset set, missing;
	char names[64];
	int err;

	weft_cpuset_zero(&set);
	if (strpbrk(text, ":.") || isalpha((unsigned char)*text)) {
		err = parse_places(topology, text, &set);
	} else {
		err = weft_cpuset_parse(text, &set);
		weft_cpuset_andnot(&missing, &set, &topology->all);
		if (!err && !weft_cpuset_is_empty(&missing))
			err = weft_set_error(WEFT_ERANGE, "CPU %s in the list '%.80s' does not exist on this machine",
					     weft_cpuset_format(&missing, names, sizeof names), text);
	}
	if (!err)
		*out = set;
	return err;
}
