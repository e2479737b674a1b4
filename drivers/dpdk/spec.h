/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which device a net of dpdk is on: WEFT_DPDK_DEVICE="[HOST[/BITS[@GATEWAY]]=]DEVICE[;...]", each DEVICE in DPDK's own words
 * (net_memif0,role=client,socket=/run/x.sock; 0000:3b:00.0). An entry with HOST is for a net with this address, one without
 * is for any. BITS are of the hosts that are reached without GATEWAY; without BITS all are.
 */
#ifndef SPEC_H
#define SPEC_H

#include "dpdk/frame.h"

#define SPEC_DEVICE_MAX 256u

struct dpdk_spec {
	char device[SPEC_DEVICE_MAX];
	unsigned int bits;         /* of own address that those have who are reached directly; 0: all are */
	struct frame_host gateway; /* version 0: none */
};

/* The entry for a host out of such a text. -WEFT_EINVAL, -WEFT_ENODEV, with a sentence. */
int weft__dpdk_spec_read(const char *text, const struct frame_host *own, struct dpdk_spec *out);
/* Whom to give what is for this host; NULL: there is no way to it. Borrows both. */
const struct frame_host *weft__dpdk_spec_next(const struct dpdk_spec *spec, const struct frame_host *own,
					      const struct frame_host *to);

#endif
