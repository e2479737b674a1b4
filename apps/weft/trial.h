/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What weft gets on this machine when it tries: a segment on a NUMA node, a node, and what of the kernel it builds on.
 */
#ifndef TRIAL_H
#define TRIAL_H

#include "machine.h"

#include <weft/node.h>
#include <weft/segment.h>

#define TRIAL_CONTROL_BYTES ((size_t)2 << 20)
#define TRIAL_DATA_BYTES ((size_t)64 << 20)

/* Whether trials leave enough memory: a tight control group must not end us, or others. */
bool trial_has_room(const struct machine *machine);
/* The pages that a segment gets on a NUMA node (the operating system's number, or -1): 0, or an error. */
int trial_pages(int numa_node, size_t len_bytes, enum weft_pages *out);
/* A node as the plan has it, open; the caller closes it. */
int trial_node(const struct machine *machine, struct weft_node **out);

/* Who answers at the address of machine->to: 0 and a node's name, or an error with a sentence. Bad usage ends the process. */
int trial_reach(const struct machine *machine, char name[WEFT_NAME_MAX + 1]);

/* 0, or what the kernel says about it (errno). */
int trial_memfd(void);
int trial_pidfd(void);
int trial_membarrier(void);

#endif
