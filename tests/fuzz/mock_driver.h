/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver whose other end is the test: what a peer says is put into it, and what weft does is checked against what a
 * driver may be asked for. Each breach aborts. All memory that it hands up is a block of its own, so that whoever
 * reads beyond it, or after it was given back, is found out by AddressSanitizer. One port, one thread.
 */
#ifndef MOCK_DRIVER_H
#define MOCK_DRIVER_H

#include <weft/driver.h>

#define MOCK_INLINE_MAX 240
#define MOCK_LOAN_HEAD_MAX 24

struct mock_path;

/* What a port has sent that the test may want to answer. */
typedef void mock_sent_fn(const struct mock_path *path, const struct weft_tx_frame *frame);

extern const struct weft_driver mock_driver;
/* Stands for its only device. */
extern struct weft_device *const mock_device;
/* The events of the layer above, and who listens to what is sent; set before a port is opened. */
extern const struct weft_device_events *mock_events;
extern mock_sent_fn *mock_on_sent;
/* So many sends are taken, then all are refused; UINT32_MAX: no end. */
extern uint32_t mock_room;

/* The paths that stand, oldest first; NULL past the end. The pointer is good until the next step. */
struct mock_path *mock_path_at(unsigned int index);
struct weft_path *mock_path_base(struct mock_path *path);
/* A peer's frame, which comes out of the next receive. Copies data, and makes loan_len_bytes of memory to lend if that is not
 * 0. False: too many wait. */
bool mock_say(struct mock_path *path, uint64_t meta, const void *data, uint32_t len_bytes, uint64_t loan_len_bytes);
/* A path stands: request NULL is one that the peer made. */
void mock_up(struct weft_port *port, uint64_t incarnation, const struct weft_hello *hello, void *request);
/* The oldest connect that waits for its outcome; NULL: none. Takes it. */
void *mock_connect_take(void);
/* What came is handed up, then the path ends, unless weft ends it before. */
void mock_down(struct mock_path *path, enum weft_down_reason reason);
/* The oldest buffer that was lent comes home; false: none is out. */
bool mock_home(void);
/* What is not as it was before: paths, loans either way, connects. 0 when nothing is left. */
unsigned int mock_left(void);

#endif
