/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a broken assertion ends.
 */
#include <weft/assert.h>

#include <stdio.h>
#include <stdlib.h>

void weft_assert_failed(const char *expression, const char *file, int line, const char *function)
{
	fprintf(stderr, "weft: assertion failed: %s, at %s:%d in %s\n", expression, file, line, function);
	abort();
}
