/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program outside the tree: the installed headers and library are all that it has. Also compiled as C++.
 */
#include <stdio.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/hash.h>

int main(void)
{
	if (strcmp(weft_error_name(WEFT_EAGAIN), "WEFT_EAGAIN") != 0)
		return 1;
	printf("%016llx\n", (unsigned long long)weft_hash_string("weft"));
	return 0;
}
