/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text may come as a list of processors (from an option or a file of the kernel): it is refused with a sentence, or
 * printed and read again it is the same set.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <weft/cpuset.h>
#include <weft/errors.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	struct weft_cpuset set, again;
	char *text = malloc(len_bytes + 1), *list = malloc(65536);

	if (text && list) {
		if (len_bytes)
			memcpy(text, data, len_bytes);
		text[len_bytes] = '\0';
		if (weft_cpuset_parse(text, &set) < 0) {
			if (!weft_last_error()[0])
				abort();
		} else {
			weft_cpuset_format(&set, list, 65536);
			if (!weft_cpuset_is_empty(&set) &&
			    (weft_cpuset_parse(list, &again) < 0 || !weft_cpuset_equal(&set, &again)))
				abort();
		}
	}
	free(text);
	free(list);
	return 0;
}
