/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of cases of the conformance suite of datagram drivers, one for each file.
 */
#ifndef NET_CONFORMANCE_H
#define NET_CONFORMANCE_H

#include <stdint.h>

struct net_case {
	const char *sentence;
	void (*run)(void);
	uint32_t needs; /* enum weft_net_caps */
};

#define NET_CASE(function, needs)          \
	{                                  \
#function, function, needs \
	}
#define NET_CASES_END \
	{             \
		0     \
	}

extern const struct net_case net_sending[], net_steering[], net_addresses[], net_life[], net_waking[], net_threads[];

#endif
