/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who somebody is.
 */
#include "shm/who.h"
#include "shm/shm.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PID_FS \
	UINT32_C(0x50494446) /* since Linux 6.9: each process has a file of its own there, never another's again */

static int64_t unseen(int fd, const struct weft_peer_identity *peer)
{
	int pid_fd = shm_rendezvous_pidfd(fd, peer);
	struct statfs system;
	struct stat info;
	int64_t who = 0;

	if (pid_fd >= 0 && fstatfs(pid_fd, &system) == 0 && (uint32_t)system.f_type == PID_FS &&
	    fstat(pid_fd, &info) == 0)
		who = -(int64_t)(info.st_ino & INT64_MAX);
	if (pid_fd >= 0)
		close(pid_fd);
	return who;
}

int64_t shm_who_is(int fd, const struct weft_peer_identity *peer)
{
	if (peer->uid != geteuid())
		return SHM_WHO_USER + peer->uid;
	return peer->pid > 0 ? peer->pid : unseen(fd, peer);
}

const char *shm_who_text(int64_t who, char out[SHM_WHO_TEXT])
{
	if (who >= SHM_WHO_USER)
		snprintf(out, SHM_WHO_TEXT, "uid %lld", (long long)(who - SHM_WHO_USER));
	else
		snprintf(out, SHM_WHO_TEXT, "pid %lld", (long long)(who > 0 ? who : 0));
	return out;
}
