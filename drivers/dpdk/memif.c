/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket of a server of memif, which leaves its file behind when it is killed and does not start where one is: it is
 * removed if nobody listens there any more.
 */
#include "dpdk/dpdk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <weft/log.h>

#define ANSWER_S 1

/* Whether one of the words between commas is this one. */
static bool has_word(const char *device, const char *word)
{
	const char *at = strstr(device, word);
	size_t len = strlen(word);

	return at && at > device && at[-1] == ',' && (at[len] == ',' || !at[len]);
}

static bool find_path(const char *device, struct sockaddr_un *at)
{
	const char *path = strstr(device, ",socket=");
	size_t len;

	if (!path)
		return false;
	path += strlen(",socket=");
	len = strcspn(path, ",");
	if (!len || len >= sizeof at->sun_path)
		return false;
	memset(at, 0, sizeof *at);
	at->sun_family = AF_UNIX;
	memcpy(at->sun_path, path, len);
	return true;
}

/* Who listens does not survive a call that is broken off before he greets: he is heard out. */
static bool is_deserted(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct timeval patience = {.tv_sec = ANSWER_S};
	bool deserted;
	char byte;

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	deserted = connect(fd, (const struct sockaddr *)at, sizeof *at) < 0 && errno == ECONNREFUSED;
	if (!deserted)
		(void)!recv(fd, &byte, sizeof byte, 0);
	close(fd);
	return deserted;
}

void weft__dpdk_memif_clear(const char *device)
{
	struct sockaddr_un at;
	struct stat file;

	if (strncmp(device, "net_memif", strlen("net_memif")) != 0 || !has_word(device, "socket-abstract=no") ||
	    has_word(device, "role=client") || !find_path(device, &at))
		return;
	if (lstat(at.sun_path, &file) < 0 || !S_ISSOCK(file.st_mode) || !is_deserted(&at))
		return;
	if (unlink(at.sun_path) == 0)
		weft_log(WEFT_LOG_INFO, "dpdk", "removed the socket %s of a server that is gone", at.sun_path);
}
