/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two forked, pinned processes with shared memory between them, and a watch over them.
 */
#ifndef FLOOR_PAIR_PRIVATE_H
#define FLOOR_PAIR_PRIVATE_H

#include "bare.h"

#include <stdatomic.h>

#define FLOOR_LINE 64

/* What a process of a pair runs; its argument is the shared memory. The process ends when it returns. */
typedef void floor__body_fn(void *shared);

/* Zeroed, touched memory that forked processes share. Gives; -WEFT_ENOMEM. */
int floor__shared_map(size_t bytes, void **out);
void floor__shared_unmap(void *shared, size_t bytes);

/* Checks size, cores (which must differ unless `same`), and the counts, and fills in defaults. */
int floor__opts_check(const struct floor_opts *opts, bool same, uint64_t iterations_default, struct floor_opts *out);

/* Runs both to their end. receiver may be NULL. -WEFT_ETIMEDOUT, -WEFT_EIO when one died, or what fork gave. */
int floor__pair_run(const struct floor_opts *opts, floor__body_fn *sender, floor__body_fn *receiver, void *shared);

#endif
