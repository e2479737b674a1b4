/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text may come as a specification of faults (from an option or the environment): it is refused with a sentence and
 * writes nothing, or what it says is within its limits.
 */
#include "fault/spec.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>

static void check_limits(const struct fault_spec *spec)
{
	const uint32_t probabilities[] = {spec->again,     spec->delay,   spec->drop,
					  spec->duplicate, spec->corrupt, spec->reorder};

	for (unsigned int i = 0; i < sizeof probabilities / sizeof *probabilities; i++)
		if (probabilities[i] > FAULT_PER)
			abort();
	if (!spec->delay_us || spec->delay_us > 10000000 || (spec->seed && !spec->has_seed))
		abort();
	if (!spec->reorder_by || spec->reorder_by > 1000)
		abort();
	if (!weft__fault_spec_loses(spec) != !(spec->drop || spec->duplicate || spec->corrupt || spec->reorder))
		abort();
	if (!weft__fault_spec_needs_paths(spec) !=
	    !(spec->cut || spec->fail_at[FAULT_ACCEPT] || spec->fail_at[FAULT_SHARE]))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	struct fault_spec spec, before;
	char *text = malloc(len_bytes + 1);

	if (!text)
		return 0;
	if (len_bytes)
		memcpy(text, data, len_bytes);
	text[len_bytes] = '\0';
	memset(&spec, 0xee, sizeof spec);
	before = spec;
	if (weft__fault_spec_parse(text, &spec) == 0)
		check_limits(&spec);
	else if (!weft_last_error()[0] || memcmp(&spec, &before, sizeof spec) != 0)
		abort();
	free(text);
	return 0;
}
