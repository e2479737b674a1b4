/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of foreign origin: how they are looked at and closed without ever waiting for whoever stands behind them.
 */
#ifndef FOREIGN_H
#define FOREIGN_H

#include <stdbool.h>
#include <stdint.h>
#include <weft/segment.h>

/* `who` is of who.h: a process of our user, or another user. */

/* Closes a descriptor that this process sent and nobody uses. Takes. Thread: any but workers. */
void shm_foreign_close(int fd, int64_t who);
/* Whether closing what that process sent does not get on: until it does, nothing is taken from it. Thread: any. */
bool shm_foreign_is_shunned(int64_t who);
/* Whether so much waits to be closed that nothing more is to be taken from anybody: else all descriptors would end there.
 * Thread: any. */
bool shm_foreign_is_full(void);
/* Ends a connection with a process, into which it may have sent descriptors that nobody read. It sees the end at once.
 * Nobody else has this end. Takes. Thread: any but workers. */
void shm_foreign_hang_up(int fd, int64_t who);
/* The same for a bell, which that process made and may have as well. Takes. Thread: any but workers. */
void shm_foreign_drop_bell(int fd, int64_t who);
/* Unmaps memory of that process; the array is from malloc. Takes. Thread: any but workers. */
void shm_foreign_unmap(struct weft_mapping *mappings, unsigned int count, int64_t who);
/* Whether it is a Unix socket for packets, as a bell is: sending into it never waits. */
bool shm_foreign_is_bell(int fd);

#endif
