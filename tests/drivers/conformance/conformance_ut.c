/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every driver must do, whatever it is made of: conformance_ut DRIVER [WORDS...]. Only weft/driver.h is used; a
 * case that asks for something a driver does not claim to have is not run for it.
 */
#include "conformance.h"
#include "side.h"
#include "suite.h"

#include <stdio.h>

#define CASES_MAX 128

int main(int argc, char **argv)
{
	static const struct conformance_case *const tables[] = {conformance_life,      conformance_frames,
								conformance_loans,     conformance_limits,
								conformance_processes, conformance_threads};
	struct suite_case cases[CASES_MAX];
	unsigned int count = 0;

	side_driver = argc > 1 ? conformance_driver(argv[1]) : NULL;
	if (!side_driver) {
		fprintf(stderr, "usage: conformance_ut DRIVER [WORDS...]: %s\n", weft_last_error());
		return 2;
	}
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (const struct conformance_case *at = tables[i]; at->sentence && count < CASES_MAX; at++)
			if ((side_driver->caps & at->needs) == at->needs)
				cases[count++] = (struct suite_case){at->sentence, at->run};
	return suite_main(argv[1], cases, count, argc - 1, argv + 1);
}
