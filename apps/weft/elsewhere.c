/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks for a name among the sockets that listen on this machine. Whoever likes can take any name: it is a hint, no more.
 */
#include "elsewhere.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTENS 0x10000u
#define SEQPACKET 5u

/* The socket's name, if it listens for packets in sequence, as nodes do; in the kernel's line, whose end is cut off. */
static const char *socket_of(char *line)
{
	unsigned int flags, type;
	int at = 0;

	line[strcspn(line, "\n")] = 0;
	if (sscanf(line, "%*x: %*x %*x %x %x %*x %*u %n", &flags, &type, &at) < 2 || !at)
		return NULL;
	for (const char *c = line + at; *c; c++)
		if (!isgraph((unsigned char)*c))
			return NULL; /* none of ours, and not to be shown */
	return flags == LISTENS && type == SEQPACKET ? line + at : NULL;
}

/* "@weft/UID/NAME" of another user. */
static bool is_other_user(const char *socket, const char *name, unsigned long *uid)
{
	char *end;

	if (strncmp(socket, "@weft/", 6) != 0 || !isdigit((unsigned char)socket[6]))
		return false;
	*uid = strtoul(socket + 6, &end, 10);
	return *end == '/' && strcmp(end + 1, name) == 0 && *uid != geteuid();
}

/* "DIRECTORY/NAME" of another directory than ours. */
static bool is_other_directory(const char *socket, const char *name, size_t *len)
{
	const char *slash = strrchr(socket, '/'), *ours = getenv("WEFT_RUNTIME_DIR");

	if (*socket != '/' || strcmp(slash + 1, name) != 0)
		return false;
	*len = (size_t)(slash - socket);
	return *len && !(ours && strlen(ours) == *len && strncmp(ours, socket, *len) == 0);
}

static bool describe(const char *socket, const char *name, char *text, size_t size_bytes)
{
	unsigned long uid;
	size_t len;

	if (is_other_user(socket, name, &uid))
		snprintf(text, size_bytes,
			 "but user %lu has a node of that name, and this is user %u: run both as one user, or let each "
			 "other in by allowed_uids in programs of your own",
			 uid, geteuid());
	else if (is_other_directory(socket, name, &len))
		snprintf(text, size_bytes, "but something of that name is in %.*s: is WEFT_RUNTIME_DIR to be that?",
			 (int)len, socket);
	else
		return false;
	return true;
}

bool elsewhere_find(const char *name, char *text, size_t size_bytes)
{
	FILE *sockets = fopen("/proc/net/unix", "re");
	bool found = false;
	char line[512];

	while (sockets && !found && fgets(line, sizeof line, sockets)) {
		const char *socket = socket_of(line);

		found = socket && describe(socket, name, text, size_bytes);
	}
	if (sockets)
		fclose(sockets);
	return found;
}
