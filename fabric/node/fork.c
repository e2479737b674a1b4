/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forked child has copies of its parent's handles, but neither its threads nor its shared memory, and the same
 * descriptors: whatever it did with them would fail, hang or harm the parent. So it is told, or nothing is done.
 */
#include "node/node_private.h"

bool weft__node_forked(const struct weft_node *node)
{
	return __builtin_expect(weft_worker_forked(node->runner), 0);
}

int weft__node_fork_check(const struct weft_node *node)
{
	if (!weft__node_forked(node))
		return 0;
	return weft_set_error(WEFT_EFORK, "node \"%s\" belongs to the process that forked this one: open another here",
			      node->name);
}
