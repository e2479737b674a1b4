/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text may come as a log level (from a command line or the environment): it is one of the four, or refused with a
 * sentence, and the result is written only on success.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/log.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	enum weft_log_level level = WEFT_LOG_DEBUG;
	char *text = malloc(len_bytes + 1);

	if (!text)
		return 0;
	if (len_bytes)
		memcpy(text, data, len_bytes);
	text[len_bytes] = '\0';
	if (weft_log_level_parse(text, &level) < 0 && (level != WEFT_LOG_DEBUG || !weft_last_error()[0]))
		abort();
	free(text);
	return 0;
}
