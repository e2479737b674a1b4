/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every driver of datagrams must do, over a network that loses nothing: net_conformance_ut KIND [WORDS...], where
 * KIND is one of node_use. Only weft/net.h is used; a case that asks for something a driver does not claim to have is not
 * run for it.
 */
#include "conformance.h"
#include "node.h"
#include "suite.h"

#include <stdio.h>

#define CASES_MAX 64

int main(int argc, char **argv)
{
	static const struct net_case *const tables[] = {net_sending, net_steering, net_addresses,
							net_life,    net_waking,   net_threads};
	struct suite_case cases[CASES_MAX];
	unsigned int count = 0;
	int status;

	if (argc < 2 || !node_use(argv[1])) {
		fprintf(stderr, "usage: net_conformance_ut KIND [WORDS...]: %s\n", weft_last_error());
		return 2;
	}
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (const struct net_case *at = tables[i]; at->sentence && count < CASES_MAX; at++)
			if ((node_driver->caps & at->needs) == at->needs)
				cases[count++] = (struct suite_case){at->sentence, at->run};
	status = suite_main(argv[1], cases, count, argc - 1, argv + 1);
	node_sim_close();
	return status;
}
