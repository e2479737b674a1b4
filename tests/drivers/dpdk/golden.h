/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames as they stand in golden/.
 */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "dpdk/frame.h"

#define GOLDEN_MAX 128

/* The ends that are in them: us, and another one. */
extern const struct frame_end golden_own4, golden_own6, golden_him4, golden_him6;
extern const char golden_payload[]; /* GOLDEN_PAYLOAD_BYTES of it */
#define GOLDEN_PAYLOAD_BYTES 13u

/* The bytes of golden/NAME.hex; returns how many, 0 if there is no such file. */
uint32_t golden_read(const char *name, uint8_t out[GOLDEN_MAX]);

#endif
