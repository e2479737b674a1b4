/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's options: defaults, checks that name the field, and copies of what the caller may free.
 */
#include "node/node_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MEMORY_MIN_BYTES ((size_t)8 << 20)

void weft_node_opts_init(struct weft_node_opts *opts, size_t size)
{
	memset(opts, 0, size);
	*opts = (struct weft_node_opts){
		.size = size,
		.role = WEFT_NODE_LEAF | WEFT_NODE_MEMBER,
		.worker_count = 1,
		.idle = WEFT_IDLE_ADAPTIVE,
		.pages = WEFT_PAGES_AUTO,
		.memory_max_bytes = (size_t)1 << 30,
		.link_idle_ns = UINT64_C(300000000000),
		.links_max = 256,
		.channels_max = 1024,
	};
}

static int check(const struct weft_node_opts *opts)
{
	if (opts->size != sizeof *opts)
		return weft_set_error(WEFT_EINVAL, "node options of %zu bytes: call weft_node_opts_init", opts->size);
	if (opts->name && !weft__name_valid(opts->name))
		return weft_set_error(WEFT_EINVAL,
				      "name \"%s\": a node's name is 1 to %d of [A-Za-z0-9._-], the first no dot",
				      opts->name, WEFT_NAME_MAX);
	if (!opts->role || opts->role & ~(unsigned int)(WEFT_NODE_LEAF | WEFT_NODE_MEMBER))
		return weft_set_error(WEFT_EINVAL, "role %#x: allowed are leaf, member or both", opts->role);
	if (opts->worker_count > WEFT__STATIONS_MAX / 2)
		return weft_set_error(WEFT_EINVAL, "worker_count %u: the limit is %d", opts->worker_count,
				      WEFT__STATIONS_MAX / 2);
	if ((unsigned int)opts->idle > WEFT_IDLE_BLOCK)
		return weft_set_error(WEFT_EINVAL, "idle %d is no idle strategy", (int)opts->idle);
	if ((unsigned int)opts->pages > WEFT_PAGES_HUGETLB)
		return weft_set_error(WEFT_EINVAL, "pages %d is no page kind", (int)opts->pages);
	if (opts->memory_max_bytes < MEMORY_MIN_BYTES)
		return weft_set_error(WEFT_EINVAL, "memory_max_bytes %zu: a node needs at least %zu",
				      opts->memory_max_bytes, MEMORY_MIN_BYTES);
	if (opts->memory_max_bytes > WEFT_PATH_MEMORY_MAX_BYTES)
		return weft_set_error(WEFT_EINVAL,
				      "memory_max_bytes %zu: a node has at most %zu, for its peers map no more of it; "
				      "open several nodes",
				      opts->memory_max_bytes, (size_t)WEFT_PATH_MEMORY_MAX_BYTES);
	if (!opts->links_max || !opts->channels_max)
		return weft_set_error(WEFT_EINVAL, "links_max %u, channels_max %u: a node needs at least one of each",
				      opts->links_max, opts->channels_max);
	return 0;
}

/* PROGRAM-PID, with what a name may not hold replaced. */
static void default_name(char name[WEFT_NAME_MAX + 1])
{
	snprintf(name, WEFT_NAME_MAX + 1, "%.48s-%d", program_invocation_short_name, (int)getpid());
	for (char *at = name; *at; at++) {
		char one[2] = {*at, 0};

		if (!weft__name_valid(one) && !(at > name && *at == '.'))
			*at = '_';
	}
}

/* NULL stays NULL; false when there is no memory. */
static bool copy_string(const char *from, char **to)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

int weft__node_opts_take(struct weft_node *node, const struct weft_node_opts *opts)
{
	struct weft_node_opts defaults;
	int rc;

	weft_node_opts_init(&defaults, sizeof defaults);
	if (!opts)
		opts = &defaults;
	rc = check(opts);
	if (rc < 0)
		return rc;
	if (opts->name)
		strcpy(node->name, opts->name);
	else
		default_name(node->name);
	node->opts = *opts;
	node->opts.allowed_uids = NULL;
	if (!copy_string(opts->cores, &node->cores) || !copy_string(opts->runtime_dir, &node->runtime_dir))
		goto no_memory;
	if (opts->allowed_uid_count) {
		size_t len_bytes = opts->allowed_uid_count * sizeof *opts->allowed_uids;

		node->allowed_uids = malloc(len_bytes);
		if (!node->allowed_uids)
			goto no_memory;
		memcpy(node->allowed_uids, opts->allowed_uids, len_bytes);
	}
	node->opts.name = node->name;
	node->opts.cores = node->cores;
	node->opts.runtime_dir = node->runtime_dir;
	node->opts.allowed_uids = node->allowed_uids;
	node->opts.driver = node->opts.faults = NULL;
	node->opts.listen = node->opts.peers = node->opts.security = NULL;
	if (opts->hardening && prctl(PR_SET_DUMPABLE, 0) < 0)
		return weft_set_error(weft_error_from_errno(errno), "hardening: PR_SET_DUMPABLE: %s", strerror(errno));
	return 0;
no_memory:
	return weft_set_error(WEFT_ENOMEM, "no memory for a node's options");
}

void weft__node_opts_drop(struct weft_node *node)
{
	free(node->cores);
	free(node->runtime_dir);
	free(node->allowed_uids);
}
