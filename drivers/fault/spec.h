/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What shall go wrong, as a text says: "seed=7,again=0.05,cut=1000". The keys are explained in docs/fault.md.
 */
#ifndef SPEC_H
#define SPEC_H

#include <stdbool.h>
#include <stdint.h>

#define FAULT_PER 1000000000u /* probabilities are so many of it */
#define FAULT_EACH UINT64_MAX /* in fail_at: every call */

/* Operations that can be made to fail. */
enum fault_op { FAULT_DEVICE_OPEN, FAULT_PORT_OPEN, FAULT_CONNECT, FAULT_ACCEPT, FAULT_SHARE, FAULT_OP_COUNT };

struct fault_spec {
	uint64_t seed;
	bool has_seed;
	uint32_t again, delay, drop, duplicate, corrupt, reorder; /* probabilities */
	uint64_t again_at;                                        /* this send of each path is refused; 0: none */
	uint64_t delay_us;
	uint64_t reorder_by;              /* so many others overtake */
	uint64_t cut;                     /* each path breaks after so many frames; 0: never */
	uint64_t fail_at[FAULT_OP_COUNT]; /* this call fails; 0: none */
};

/*
 * Reads a specification (NULL or "": nothing goes wrong): 0, or -WEFT_EINVAL with a sentence that names the key, and the
 * nearest one that is known. *out is written only on success.
 */
int weft__fault_spec_parse(const char *text, struct fault_spec *out);
/* The key of a fault that loses, changes or reorders frames, which only a datagram driver may; NULL if there is none. */
const char *weft__fault_spec_loses(const struct fault_spec *spec);

/* The key of a fault of what only drivers with paths have, and those of datagrams have not; NULL if there is none. */
const char *weft__fault_spec_needs_paths(const struct fault_spec *spec);

#endif
