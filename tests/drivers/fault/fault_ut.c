/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that each kind of fault happens as it is specified, over shm: what is refused was not taken, what waits keeps its
 * order and its loans, a cut path is told as broken and gives everything back, an operation fails when it is to, and the
 * same seed makes the same faults. Seeds are written down here, so that each run is the same.
 */
#include "conformance/side.h"
#include "fault.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static struct side near, far;
static struct side_end *const here = &near.ends[0], *const there = &far.ends[0];

/* Faults on the near side, on the far side. */
static void open_with(const char *near_faults, const char *far_faults)
{
	side_faults = near_faults;
	side_open(&near, "near", 1, 0);
	side_faults = far_faults;
	side_open(&far, "far", 1, 0);
	side_faults = NULL;
}

static void join_with(const char *near_faults, const char *far_faults)
{
	open_with(near_faults, far_faults);
	side_join(here, there);
}

static void close_both(void)
{
	side_close(&near);
	side_close(&far);
}

static void in_order(struct side_end *end, const struct weft_rx_frame *frame)
{
	if (frame->loan_data) {
		end->wrong += !side_holds(frame->loan_data, 300, 7);
		frame->path->port->release(frame->path, frame->loan_id);
	} else {
		end->wrong += !side_holds(frame->data, frame->len_bytes, frame->meta);
	}
	end->wrong += frame->meta != end->got || frame->path != end->path;
	end->got++;
}

static int send_number(uint64_t number)
{
	unsigned char bytes[64];

	side_fill(bytes, number % 64, number);
	return here->port->send(here->path, WEFT_CLASS_NORMAL, number, bytes, (uint32_t)(number % 64), 0);
}

/* ---- refusals ---- */

static void one_send_in_so_many_is_refused_and_was_not_taken(void)
{
	unsigned int refused = 0, sent = 0;

	join_with("seed=7,again=0.1", NULL);
	there->on_frame = in_order;
	for (unsigned int i = 0; i < 2000; i++) {
		int rc = send_number(sent);

		CU_ASSERT_TRUE(rc == 0 || rc == -WEFT_EAGAIN);
		sent += rc == 0;
		refused += rc < 0;
		if (i % 8 == 0)
			sides_turn();
	}
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == sent));
	CU_ASSERT_EQUAL(there->wrong, 0);
	CU_ASSERT_TRUE(refused > 100 && refused < 300);
	CU_ASSERT_EQUAL(side_stats(here).full, refused);
	CU_ASSERT_EQUAL(side_stats(there).full, 0);
	close_both();
}

static void the_send_that_is_named_is_refused_and_no_other(void)
{
	struct weft_tx_frame frames[4] = {{.meta = 0}, {.meta = 64}, {.meta = 128}, {.meta = 192}};
	int why = 0;

	join_with("again_at=3", NULL);
	CU_ASSERT_EQUAL(here->port->tx(here->path, WEFT_CLASS_NORMAL, frames, 4, 0, &why), 2);
	CU_ASSERT_EQUAL(why, -WEFT_EAGAIN);
	for (unsigned int i = 0; i < 50; i++)
		CU_ASSERT_EQUAL(send_number(64 * i), 0);
	close_both();
}

/* What was held back before a refusal goes out all the same. */
static void a_refusal_does_not_keep_back_what_was_taken_before(void)
{
	join_with("again_at=3", NULL);
	there->on_frame = in_order;
	CU_ASSERT_EQUAL(here->port->send(here->path, WEFT_CLASS_NORMAL, 0, "", 0, WEFT_TX_MORE), 0);
	CU_ASSERT_EQUAL(here->port->send(here->path, WEFT_CLASS_NORMAL, 1, "\x1f", 1, WEFT_TX_MORE), 0);
	CU_ASSERT_EQUAL(here->port->send(here->path, WEFT_CLASS_NORMAL, 2, "", 0, 0), -WEFT_EAGAIN);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 2));
	CU_ASSERT_EQUAL(there->wrong, 0);
	close_both();
}

/* ---- delays ---- */

/* Numbers as small data and, each seventh, as a loan. */
static bool send_some(uint64_t number, struct weft_buf *buf)
{
	struct weft_tx_frame frame = {.meta = number, .loan = buf, .loan_len_bytes = 300, .cookie = 1};
	int why = 0;

	if (number % 7)
		return send_number(number) == 0;
	if (here->port->tx(here->path, WEFT_CLASS_NORMAL, &frame, 1, 0, &why) == 1)
		return true;
	if (why == -WEFT_ENXIO)
		CU_ASSERT_EQUAL(near.driver->share(here->path, buf->segment_id), 0);
	return false;
}

static void what_waits_keeps_its_order_and_nothing_is_lost(void)
{
	struct weft_buf *buf = NULL;
	uint64_t sent = 0;

	join_with("seed=1,delay=0.05,delay_us=30", "seed=2,delay=0.05,delay_us=30");
	there->on_frame = here->on_frame = in_order;
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(here->pool, 300, &buf), 0);
	side_fill(buf->data, 300, 7);
	CU_ASSERT_TRUE(SIDES_UNTIL((sent += send_some(sent, buf)) == 3000));
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 3000 && buf->refs == 1));
	CU_ASSERT_EQUAL(there->wrong, 0);
	CU_ASSERT_EQUAL(here->downs + there->downs, 0);
	weft_buf_put(buf);
	close_both();
}

static void a_sleeper_is_woken_for_what_waits(void)
{
	join_with(NULL, "delay=1,delay_us=5000");
	there->on_frame = in_order;
	CU_ASSERT_EQUAL(send_number(0), 0);
	/* It has come, and waits: the next thing that wakes the worker is that it is due. */
	weft_worker_poll(there->worker);
	CU_ASSERT_EQUAL(there->got, 0);
	CU_ASSERT_TRUE(weft_worker_next_ns(there->worker) < weft_worker_now(there->worker) + 10000000);
	CU_ASSERT_TRUE(PATIENCE_UNTIL(weft_worker_turn(there->worker, patience_end_ns()), there->got == 1));
	CU_ASSERT_EQUAL(there->wrong, 0);
	close_both();
}

static void what_waits_comes_before_the_end_of_its_path(void)
{
	join_with(NULL, "delay=1,delay_us=3000");
	there->on_frame = in_order;
	for (unsigned int i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(send_number(i), 0);
	near.driver->disconnect(here->path);
	here->path = NULL;
	CU_ASSERT_TRUE(SIDES_UNTIL(there->downs == 1));
	CU_ASSERT_EQUAL(there->got, 20);
	CU_ASSERT_EQUAL(there->wrong, 0);
	CU_ASSERT_EQUAL(there->reason, WEFT_DOWN_CLOSED);
	close_both();
}

static void a_loan_that_waits_comes_home_when_its_reader_leaves(void)
{
	struct weft_buf *buf = NULL;

	join_with(NULL, "delay=1,delay_us=10000000");
	there->on_frame = here->on_frame = in_order;
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(here->pool, 300, &buf), 0);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(send_some(0, buf)));
	CU_ASSERT_TRUE(SIDES_UNTIL(side_stats(there).rx_loans == 1));
	CU_ASSERT_EQUAL(buf->refs, 2);
	far.driver->disconnect(there->path);
	there->path = NULL;
	CU_ASSERT_TRUE(SIDES_UNTIL(buf->refs == 1 && here->downs == 1));
	CU_ASSERT_EQUAL(there->got, 0);
	weft_buf_put(buf);
	close_both();
}

/* A reliable path may lose nothing: better none than that. */
static void what_cannot_wait_for_want_of_memory_breaks_its_path(void)
{
	struct weft_buf *buf = NULL;

	join_with(NULL, "delay=1,delay_us=10000000");
	there->on_frame = here->on_frame = in_order;
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(here->pool, 300, &buf), 0);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(send_some(0, buf)));
	CU_ASSERT_TRUE(SIDES_UNTIL(side_stats(there).rx_loans == 1));
	CU_ASSERT_EQUAL(send_number(1), 0); /* it would wait behind the loan */
	fault_arm(0);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->downs == 1));
	CU_ASSERT_TRUE(fault_disarm());
	CU_ASSERT_STRING_EQUAL(fault_name(), "malloc");
	CU_ASSERT_EQUAL(there->reason, WEFT_DOWN_BROKEN);
	CU_ASSERT_EQUAL(there->got, 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(here->downs == 1 && buf->refs == 1));
	weft_buf_put(buf);
	close_both();
}

/* ---- a cut ---- */

static void a_path_is_cut_after_so_many_frames_and_told_as_broken(void)
{
	unsigned int sent = 0;

	join_with("cut=10", NULL);
	there->on_frame = here->on_frame = in_order;
	here->keep_down = true;
	while (sent < 20 && send_number(sent) == 0)
		sent++;
	CU_ASSERT_EQUAL(sent, 10);
	CU_ASSERT_EQUAL(here->downs, 0); /* never from inside send */
	CU_ASSERT_TRUE(here->port->flush_due);
	here->port->flush(here->port);
	CU_ASSERT_EQUAL(here->downs, 1);
	CU_ASSERT_EQUAL(here->reason, WEFT_DOWN_BROKEN);
	CU_ASSERT_EQUAL(send_number(sent), -WEFT_EAGAIN);
	CU_ASSERT_FALSE(here->port->flush_due);
	near.driver->disconnect(here->path);
	here->keep_down = false;
	here->path = NULL;
	CU_ASSERT_TRUE(SIDES_UNTIL(there->downs == 1));
	CU_ASSERT_EQUAL(there->reason, WEFT_DOWN_CLOSED);
	CU_ASSERT_EQUAL(there->got, 10);
	CU_ASSERT_EQUAL(here->downs, 1);
	side_join(here, there); /* the next one lives as long */
	there->got = 0;
	CU_ASSERT_EQUAL(send_number(0), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 1));
	close_both();
}

static void frames_that_come_in_count_for_a_cut_too(void)
{
	join_with(NULL, "cut=10");
	there->on_frame = here->on_frame = in_order;
	for (unsigned int i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(send_number(i), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->downs == 1));
	CU_ASSERT_EQUAL(there->reason, WEFT_DOWN_BROKEN);
	CU_ASSERT_EQUAL(there->got, 10);
	CU_ASSERT_EQUAL(there->wrong, 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(here->downs == 1));
	CU_ASSERT_TRUE(SIDES_UNTIL(side_stats(here).paths == 0 && side_stats(there).paths == 0));
	close_both();
}

/* A burst across the cut, with loans on both sides of it. */
static void all_loans_come_home_after_a_cut(void)
{
	struct weft_tx_frame frames[8];
	struct weft_buf *buf = NULL;
	unsigned int taken = 0;
	int why = 0;

	join_with("cut=5", "delay=0.5,delay_us=10000000,seed=4");
	there->on_frame = here->on_frame = in_order;
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(here->pool, 300, &buf), 0);
	side_fill(buf->data, 300, 7);
	for (unsigned int i = 0; i < 8; i++)
		frames[i] = (struct weft_tx_frame){.meta = i, .loan = buf, .loan_len_bytes = 300, .cookie = 1};
	CU_ASSERT_EQUAL(near.driver->share(here->path, buf->segment_id), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL((taken = here->port->tx(here->path, WEFT_CLASS_NORMAL, frames, 8, 0, &why)) > 0));
	CU_ASSERT_EQUAL(taken, 5);
	CU_ASSERT_EQUAL(why, -WEFT_EAGAIN);
	CU_ASSERT_TRUE(SIDES_UNTIL(here->downs == 1));
	/* The other's loans wait for long: they come home because it learns of the end, and lets go. */
	far.driver->disconnect(there->path);
	there->path = NULL;
	CU_ASSERT_TRUE(SIDES_UNTIL(buf->refs == 1 && here->homes == 5));
	weft_buf_put(buf);
	close_both();
}

/* ---- operations that fail ---- */

static void the_call_that_is_named_fails_and_the_others_do_not(void)
{
	open_with("fail=connect:2", NULL);
	side_join(here, there);
	CU_ASSERT_EQUAL(side_connect(here, far.name, 0, here), -WEFT_EIO);
	CU_ASSERT_TRUE(strstr(weft_last_error(), "connecting failed (call 2), as the faults say") != NULL);
	side_join(here, there);
	CU_ASSERT_EQUAL(here->failures, 0);
	close_both();
}

static void who_cannot_accept_refuses_and_the_other_hears_why(void)
{
	open_with(NULL, "fail=accept:1");
	CU_ASSERT_EQUAL(side_connect(here, far.name, 0, here), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(here->failures == 1));
	CU_ASSERT_EQUAL(here->error, -WEFT_EIO);
	side_join(here, there);
	close_both();
}

static void sharing_fails_each_time_if_no_call_is_named(void)
{
	struct weft_buf *buf = NULL;

	join_with("fail=share", NULL);
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(here->pool, 300, &buf), 0);
	for (unsigned int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(near.driver->share(here->path, buf->segment_id), -WEFT_EIO);
	weft_buf_put(buf);
	close_both();
}

/* A device, and a port of it that is not opened by the fixture: their codes. */
static void open_alone(const char *faults, int *device_rc, int *port_rc)
{
	struct weft_device_opts device_opts;
	struct weft_port_opts port_opts;
	struct weft_device *device = NULL;
	struct weft_port *port = NULL;

	side_open(&near, "near", 1, 0); /* whose runner, worker and memory are used */
	weft_device_opts_init(&device_opts, sizeof device_opts);
	device_opts.runner = near.runner;
	device_opts.arena = near.arena;
	device_opts.faults = faults;
	*device_rc = weft_device_open(near.driver, &device_opts, &device);
	if (device) {
		weft_port_opts_init(&port_opts, sizeof port_opts);
		port_opts.worker = here->worker;
		port_opts.pool = here->pool;
		*port_rc = weft_port_open(near.driver, device, &port_opts, &port);
		if (port)
			near.driver->port_close(&port);
		near.driver->device_close(&device);
	}
	side_close(&near);
}

static void opening_fails_when_it_is_to(void)
{
	int device_rc = 1, port_rc = 1;

	open_alone("fail=device_open", &device_rc, &port_rc);
	CU_ASSERT_EQUAL(device_rc, -WEFT_EIO);
	open_alone("fail=port_open:1", &device_rc, &port_rc);
	CU_ASSERT_EQUAL(device_rc, 0);
	CU_ASSERT_EQUAL(port_rc, -WEFT_EIO);
	open_alone("fail=port_open:2", &device_rc, &port_rc);
	CU_ASSERT_EQUAL(port_rc, 0);
}

static void a_specification_that_is_wrong_opens_nothing(void)
{
	static const struct {
		const char *faults, *says;
	} wrong[] = {{"agan=0.1", "\"again\""},
		     {"drop=0.1", "drop is for datagram drivers; shm is reliable"},
		     {"duplicate=0.1", "duplicate is for datagram drivers"},
		     {"corrupt=0.1", "corrupt is for datagram drivers"}};
	int device_rc = 1, port_rc = 1;

	for (unsigned int i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		open_alone(wrong[i].faults, &device_rc, &port_rc);
		CU_ASSERT_EQUAL(device_rc, -WEFT_EINVAL);
		CU_ASSERT_TRUE(strstr(weft_last_error(), wrong[i].says) != NULL);
	}
}

static void faults_need_a_driver_that_makes_them(void)
{
	struct weft_device_opts opts;
	struct weft_device *device = NULL;

	weft_device_opts_init(&opts, sizeof opts);
	opts.faults = "again=0.1";
	CU_ASSERT_EQUAL(weft_device_open(weft_driver_find("shm"), &opts, &device), -WEFT_EINVAL);
	CU_ASSERT_TRUE(strstr(weft_last_error(), "use driver fault+shm") != NULL);
}

/* ---- seeds ---- */

static void pattern(const char *faults, char out[201])
{
	join_with(faults, NULL);
	for (unsigned int i = 0; i < 200; i++) {
		out[i] = send_number(i) == 0 ? '.' : 'x';
		if (i % 16 == 0) {
			there->on_frame = in_order;
			sides_turn();
		}
	}
	out[200] = '\0';
	close_both();
}

static void the_same_seed_makes_the_same_faults_and_another_makes_others(void)
{
	char first[201], again[201], other[201], none[201];

	pattern("seed=11,again=0.3", first);
	pattern("seed=11,again=0.3", again);
	pattern("seed=12,again=0.3", other);
	pattern("seed=11,again=0", none);
	CU_ASSERT_STRING_EQUAL(first, again);
	CU_ASSERT_STRING_NOT_EQUAL(first, other);
	CU_ASSERT_PTR_NULL(strchr(none, 'x'));
}

/* Paths of one device draw from streams of their own. */
static void each_path_has_a_stream_of_its_own(void)
{
	unsigned int differ = 0;
	struct weft_path *first;

	join_with("seed=5,again=0.5", NULL);
	first = here->path;
	side_join(here, there);
	CU_ASSERT_PTR_NOT_EQUAL(first, here->path);
	for (unsigned int i = 0; i < 50; i++)
		differ += here->port->send(first, WEFT_CLASS_NORMAL, 0, "", 0, 0) !=
			  here->port->send(here->path, WEFT_CLASS_NORMAL, 0, "", 0, 0);
	CU_ASSERT_TRUE(differ > 5 && differ < 45);
	close_both();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(one_send_in_so_many_is_refused_and_was_not_taken),
		SUITE_CASE(the_send_that_is_named_is_refused_and_no_other),
		SUITE_CASE(a_refusal_does_not_keep_back_what_was_taken_before),
		SUITE_CASE(what_waits_keeps_its_order_and_nothing_is_lost),
		SUITE_CASE(a_sleeper_is_woken_for_what_waits),
		SUITE_CASE(what_waits_comes_before_the_end_of_its_path),
		SUITE_CASE(a_loan_that_waits_comes_home_when_its_reader_leaves),
		SUITE_CASE(what_cannot_wait_for_want_of_memory_breaks_its_path),
		SUITE_CASE(a_path_is_cut_after_so_many_frames_and_told_as_broken),
		SUITE_CASE(frames_that_come_in_count_for_a_cut_too),
		SUITE_CASE(all_loans_come_home_after_a_cut),
		SUITE_CASE(the_call_that_is_named_fails_and_the_others_do_not),
		SUITE_CASE(who_cannot_accept_refuses_and_the_other_hears_why),
		SUITE_CASE(sharing_fails_each_time_if_no_call_is_named),
		SUITE_CASE(opening_fails_when_it_is_to),
		SUITE_CASE(a_specification_that_is_wrong_opens_nothing),
		SUITE_CASE(faults_need_a_driver_that_makes_them),
		SUITE_CASE(the_same_seed_makes_the_same_faults_and_another_makes_others),
		SUITE_CASE(each_path_has_a_stream_of_its_own),
	};

	side_driver = weft_driver_find("fault+shm");
	return suite_main("fault driver", cases, SUITE_COUNT(cases), argc, argv);
}
