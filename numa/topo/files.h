/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files of the kernel, below a root that tests can choose.
 */
#ifndef FILES_H
#define FILES_H

#include <weft/cpuset.h>

/*
 * Reads a file whole (cut at size_bytes - 1) without its last newline. root may be NULL. 0 or -1: it says nothing
 * about why, because what cannot be read counts as not there.
 */
int weft__topo_read_file(const char *root, const char *path, char *text, size_t size_bytes);

/* A CPU list as the kernel writes it: an empty one is the empty set. What is malformed leaves *out alone. */
void weft__topo_parse_kernel_list(const char *text, struct weft_cpuset *out);

#endif
