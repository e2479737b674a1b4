/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers of datagrams as drivers: over a net driver (weft/net.h) the same frames, loans and events as over shared
 * memory, with loss recovery, congestion control and grants in between (docs/path.md).
 */
#ifndef PATH_PATH_H
#define PATH_PATH_H

#include <weft/driver.h>
#include <weft/net.h>

struct weft__path_stats {
	uint64_t tx_packets, rx_packets;
	uint64_t doubles;     /* packets that came twice, or too late to know */
	uint64_t bad_packets; /* altered, malformed, of another version, or for a path that is not there */
	uint64_t resent;      /* parcels that went out again */
	uint64_t probes, refused, held;
};

/*
 * Given a frame's meta and class, in which order it belongs: frames of one stream (below 128) keep their order, different
 * ones do not wait for each other, and those of 128 go when all before them have arrived. Thread: the port's.
 */
typedef uint8_t weft__stream_fn(uint64_t meta, enum weft_class class_);

/*
 * The driver over a net driver; its name is the net's. Without stream_of (NULL) each class is a stream. Borrowed for
 * ever; NULL with the last error when there are too many. Thread: any.
 */
const struct weft_driver *weft__path_driver_over(const struct weft_net_driver *net, weft__stream_fn *stream_of);

/* The i-th thing that the net of a device could not have; NULL past the end. Borrowed until close. */
const char *weft__path_degraded(const struct weft_device *device, unsigned int i);

/* What a port's engine has counted. */
void weft__path_describe(struct weft_port *port, struct weft__path_stats *out);

#endif
