/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads small files of the kernel.
 */
#include "topo/files.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

int weft__topo_read_file(const char *root, const char *path, char *text, size_t size_bytes)
{
	char full[PATH_MAX];
	size_t len = 0;
	ssize_t got;
	int fd;

	if (snprintf(full, sizeof full, "%s%s", root ? root : "", path) >= (int)sizeof full)
		return -1;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while (len < size_bytes - 1 && (got = read(fd, text + len, size_bytes - 1 - len)) > 0)
		len += (size_t)got;
	close(fd);
	if (len && text[len - 1] == '\n')
		len--;
	text[len] = '\0';
	return 0;
}

void weft__topo_parse_kernel_list(const char *text, struct weft_cpuset *out)
{
	if (*text)
		weft_cpuset_parse(text, out);
}
