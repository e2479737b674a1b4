/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom limits count for, as one number: a process of our own user, or another user with all its processes, who gains nothing
 * by forking. Our own user's processes could as well trace us or end us.
 */
#ifndef WHO_H
#define WHO_H

#include <stdint.h>
#include <weft/driver.h>

/*
 * A process is its number; below 0, one whose number is not visible from here: that of its file where pidfds have such. 0 where
 * nobody can say, and users who are not let in: all those are taken for one. From here on it is a user.
 */
#define SHM_WHO_USER (INT64_C(1) << 32)

#define SHM_WHO_TEXT 24

/* Who is at the other end of a socket. */
int64_t shm_who_is(int fd, const struct weft_peer_identity *peer);
/* For the log: "pid 12", "uid 1000"; fills out and returns it. */
const char *shm_who_text(int64_t who, char out[SHM_WHO_TEXT]);

#endif
