/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who else on this machine has a name that was not found: a node of another user, or one in another runtime directory.
 */
#ifndef ELSEWHERE_H
#define ELSEWHERE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes what was seen, and what to do about it, as the end of a sentence: "but user 1000 has a node of that name here: ...".
 * False: nobody is seen. */
bool elsewhere_find(const char *name, char *text, size_t size_bytes);

#endif
