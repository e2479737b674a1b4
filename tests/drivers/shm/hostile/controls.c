/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks over the socket of a path that stands, and by the bell.
 */
#include "hostile.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/segment.h>

/* CONTROL(name, type, segment, descriptor count): one message that may not be said. */
#define CONTROL(name, type, segment, fd_count)                                                  \
	static void name(struct hostile *h)                                                     \
	{                                                                                       \
		int fds[3] = {h->memory_fd, h->memory_fd, h->memory_fd};                        \
		struct shm_wire wire = hostile_control((enum shm_message_type)(type), segment); \
		wire.slots[0] = wire.slots[1] = HOSTILE_SLOTS;                                  \
		hostile_attach(h);                                                              \
		HOSTILE_EXPECT(hostile_send(h->control_fd, &wire, sizeof wire, fds, fd_count)); \
	}

CONTROL(attach_once_more, SHM_ATTACH, 0, 3)
CONTROL(attach_once_more_without_descriptors, SHM_ATTACH, 0, 0)
CONTROL(accepts_what_was_not_asked, SHM_ACCEPT, 0, 2)
CONTROL(refuses_what_stands, SHM_REFUSE, 0, 0)
CONTROL(unknown_type, 77, 0, 0)
CONTROL(shares_without_memory, SHM_SHARE, 1, 0)
CONTROL(shares_with_two, SHM_SHARE, 0, 2)
CONTROL(shares_a_number_beyond, SHM_SHARE, 1024, 1)
CONTROL(shares_the_largest_number, SHM_SHARE, UINT32_MAX, 1)
CONTROL(shares_under_a_wrong_number, SHM_SHARE, 3, 1)
CONTROL(mapped_what_was_not_shared, SHM_SHARED, 1000, 0)
CONTROL(mapped_a_number_beyond, SHM_SHARED, 1024, 0)
CONTROL(mapped_the_largest_number, SHM_SHARED, UINT32_MAX, 0)
CONTROL(takes_leave_with_descriptors, SHM_BYE, 0, 1)
CONTROL(takes_leave, SHM_BYE, 0, 0)

static void send_bytes(struct hostile *h, const void *bytes, size_t len_bytes)
{
	hostile_attach(h);
	HOSTILE_EXPECT(hostile_send(h->control_fd, bytes, len_bytes, NULL, 0));
}

static void short_message(struct hostile *h)
{
	send_bytes(h, &h->attach, 20);
}

static void long_message(struct hostile *h)
{
	static unsigned char bytes[100000];

	memcpy(bytes, &h->attach, sizeof h->attach);
	send_bytes(h, bytes, sizeof bytes);
}

static void wrong_version(struct hostile *h)
{
	struct shm_wire wire = hostile_control(SHM_SHARED, 0);

	wire.version++;
	send_bytes(h, &wire, sizeof wire);
}

static void shares_twice(struct hostile *h)
{
	struct weft_segment_header header;
	struct shm_wire wire = hostile_control(SHM_SHARE, 0);

	hostile_attach(h);
	memcpy(&header, h->memory, sizeof header);
	for (unsigned int i = 0; i < 2; i++) {
		int fd = hostile_memfd(HOSTILE_MEMORY_BYTES, &header, HOSTILE_ALL_SEALS, NULL);

		HOSTILE_EXPECT(hostile_send(h->control_fd, &wire, sizeof wire, &fd, 1));
	}
}

static void shares_unsealed_memory(struct hostile *h)
{
	struct weft_segment_header header;
	struct shm_wire wire = hostile_control(SHM_SHARE, 0);
	int fd;

	memcpy(&header, h->memory, sizeof header);
	fd = hostile_memfd(HOSTILE_MEMORY_BYTES, &header, 0, NULL);
	hostile_attach(h);
	HOSTILE_EXPECT(hostile_send(h->control_fd, &wire, sizeof wire, &fd, 1));
}

static void mapped_twice(struct hostile *h)
{
	struct shm_wire wire, answer;

	hostile_attach(h);
	HOSTILE_EXPECT(hostile_receive(h, &wire, NULL) == SHM_SHARE);
	answer = hostile_control(SHM_SHARED, wire.rings.segment_id);
	for (unsigned int i = 0; i < 2; i++)
		HOSTILE_EXPECT(hostile_send(h->control_fd, &answer, sizeof answer, NULL, 0));
}

/* As many as there can be: each is mapped once, and its descriptor does not stay open. */
static void shares_all_that_it_may(struct hostile *h)
{
	hostile_attach(h);
	for (uint32_t i = 0; i < 1024; i++)
		hostile_share(h, i);
}

/* Reads no answer until its victim has no room for another one, and then all of them. */
static void shares_all_and_reads_late(struct hostile *h)
{
	unsigned int answers = 0;
	struct shm_wire wire;

	hostile_attach(h);
	for (uint32_t i = 0; i < 1024; i++)
		hostile_say_share(h, i);
	for (unsigned int i = 0; i < 200; i++) { /* the victim has seen them all by then, or sees the rest below */
		hostile_hold_victim(h);
		hostile_let_victim_go(h);
	}
	while (answers < 1024) {
		HOSTILE_EXPECT(hostile_receive(h, &wire, NULL) != 0);
		answers += wire.type == SHM_SHARED;
	}
}

/* ---- what cannot be closed without waiting ---- */

static void surplus_that_lingers(struct hostile *h)
{
	struct shm_wire wire = hostile_control(SHM_SHARE, 0);

	hostile_attach(h);
	hostile_hold_victim(h);
	HOSTILE_EXPECT(hostile_send_lingering(h->control_fd, &wire, sizeof wire, 8));
	hostile_let_victim_go(h);
}

/* Whoever makes work that does not end has no paths, and gets none. */
static void many_things_that_linger(struct hostile *h)
{
	struct shm_wire wire = hostile_control(SHM_SHARE, 0);
	struct hostile second = *h;

	hostile_attach(h);
	hostile_prepare(&second);
	hostile_attach(&second);
	hostile_hold_victim(h);
	HOSTILE_EXPECT(hostile_send_lingering(h->control_fd, &wire, sizeof wire, 20));
	hostile_let_victim_go(h);
	while (!hostile_over(&second))
		;
	hostile_prepare(&second);
	hostile_say_attach(&second);
	HOSTILE_EXPECT(hostile_receive(&second, &wire, NULL) == SHM_REFUSE && wire.error == -WEFT_EQUOTA);
}

/* Nobody reads what comes behind a message that ends the path. */
static void unread_things_that_linger(struct hostile *h)
{
	struct shm_wire wire = hostile_control((enum shm_message_type)77, 0);

	hostile_attach(h);
	hostile_hold_victim(h);
	HOSTILE_EXPECT(hostile_send(h->control_fd, &wire, sizeof wire, NULL, 0));
	for (unsigned int i = 0; i < 20; i++)
		HOSTILE_EXPECT(hostile_send_lingering(h->control_fd, "", 0, 1));
	hostile_let_victim_go(h);
}

/* The same in connections, some of which are too many to be accepted. */
static void things_that_linger_in_the_queue(struct hostile *h)
{
	hostile_hold_victim(h);
	for (unsigned int i = 0; i < 50; i++)
		HOSTILE_EXPECT(hostile_send_lingering(hostile_connect(h), "", 0, 1));
	hostile_let_victim_go(h);
}

/* ---- bells ---- */

static void attach_with_bell(struct hostile *h, int fd)
{
	HOSTILE_EXPECT(fd >= 0);
	h->attach_fds[HOSTILE_BELL] = fd;
	hostile_attach(h);
	for (uint32_t i = 0; i < 100; i++)
		hostile_put(h, WEFT_CLASS_NORMAL, SHM_INLINE, 4, "fine", 4);
}

static void be_refused_with_bell(struct hostile *h, int fd)
{
	HOSTILE_EXPECT(fd >= 0);
	h->attach_fds[HOSTILE_BELL] = fd;
	hostile_be_refused(h);
}

static void bell_that_is_a_file(struct hostile *h)
{
	be_refused_with_bell(h, h->memory_fd);
}

/* It can always be read, and never emptied by who takes it for a socket. */
static void bell_that_is_a_full_pipe(struct hostile *h)
{
	int ends[2];

	HOSTILE_EXPECT(pipe2(ends, O_CLOEXEC) == 0 && write(ends[1], "xxx", 3) == 3);
	be_refused_with_bell(h, ends[0]);
}

static void bell_that_is_an_eventfd(struct hostile *h)
{
	be_refused_with_bell(h, eventfd(7, EFD_CLOEXEC));
}

static void bell_that_is_an_epoll(struct hostile *h)
{
	int fd = epoll_create1(EPOLL_CLOEXEC), always = eventfd(7, EFD_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};

	HOSTILE_EXPECT(epoll_ctl(fd, EPOLL_CTL_ADD, always, &event) == 0);
	be_refused_with_bell(h, fd);
}

static void bell_that_is_a_stream(struct hostile *h)
{
	be_refused_with_bell(h, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void bell_that_listens(struct hostile *h)
{
	struct sockaddr name = {.sa_family = AF_UNIX};
	struct sockaddr_storage bound;
	socklen_t len = sizeof bound;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0),
	    caller = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	HOSTILE_EXPECT(bind(fd, &name, sizeof name.sa_family) == 0 && listen(fd, 1) == 0);
	HOSTILE_EXPECT(getsockname(fd, (struct sockaddr *)&bound, &len) == 0);
	HOSTILE_EXPECT(connect(caller, (struct sockaddr *)&bound, len) == 0);
	attach_with_bell(h, fd);
}

static void bell_that_is_shut(struct hostile *h)
{
	hostile_attach(h);
	close(h->attach_fds[HOSTILE_BELL]);
	HOSTILE_EXPECT(shutdown(h->bell_fd, SHUT_RDWR) == 0);
	for (uint32_t i = 0; i < 100; i++)
		hostile_put(h, WEFT_CLASS_NORMAL, SHM_INLINE, 4, "fine", 4);
}

/* What we ring may refuse them. */
static void rings_with_descriptors(struct hostile *h)
{
	hostile_attach(h);
	hostile_hold_victim(h);
	for (unsigned int i = 0; i < 20; i++)
		(void)hostile_send_lingering(h->their_fds[HOSTILE_BELL], "x", 1, 1);
	(void)hostile_send_lingering(h->their_fds[HOSTILE_BELL], "", 0, 1);
	hostile_let_victim_go(h);
}

/* What the victim rings has them in it when its path ends: it is the last to let go. */
static void bell_with_descriptors_in_it(struct hostile *h)
{
	struct shm_wire bye = hostile_control(SHM_BYE, 0);

	hostile_attach(h);
	close(h->attach_fds[HOSTILE_BELL]);
	for (unsigned int i = 0; i < 20; i++)
		HOSTILE_EXPECT(hostile_send_lingering(h->bell_fd, "x", 1, 1));
	HOSTILE_EXPECT(hostile_send(h->control_fd, &bye, sizeof bye, NULL, 0));
}

static void rings_without_end(struct hostile *h)
{
	hostile_attach(h);
	for (unsigned int i = 0; i < 20000; i++)
		(void)send(h->their_fds[HOSTILE_BELL], "xx", i % 3, MSG_DONTWAIT);
}

const struct hostile_attack hostile_controls[] = {
	HOSTILE_ATTACK(attach_once_more, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(attach_once_more_without_descriptors, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(accepts_what_was_not_asked, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(refuses_what_stands, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(unknown_type, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(shares_without_memory, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(shares_with_two, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(shares_a_number_beyond, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(shares_the_largest_number, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(shares_under_a_wrong_number, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(mapped_what_was_not_shared, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(mapped_a_number_beyond, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(mapped_the_largest_number, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(takes_leave_with_descriptors, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(takes_leave, HOSTILE_CLOSED),
	HOSTILE_ATTACK(short_message, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(long_message, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(wrong_version, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(shares_twice, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(shares_unsealed_memory, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(mapped_twice, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(shares_all_that_it_may, HOSTILE_STAYS),
	HOSTILE_ATTACK(shares_all_and_reads_late, HOSTILE_STAYS),
	HOSTILE_ATTACK(surplus_that_lingers, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(many_things_that_linger, HOSTILE_SHUNNED),
	HOSTILE_ATTACK(unread_things_that_linger, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(things_that_linger_in_the_queue, HOSTILE_REFUSED),
	HOSTILE_ATTACK(bell_that_is_a_file, HOSTILE_REFUSED),
	HOSTILE_ATTACK(bell_that_is_a_full_pipe, HOSTILE_REFUSED),
	HOSTILE_ATTACK(bell_that_is_an_eventfd, HOSTILE_REFUSED),
	HOSTILE_ATTACK(bell_that_is_an_epoll, HOSTILE_REFUSED),
	HOSTILE_ATTACK(bell_that_is_a_stream, HOSTILE_REFUSED),
	HOSTILE_ATTACK(bell_that_listens, HOSTILE_STAYS),
	HOSTILE_ATTACK(bell_that_is_shut, HOSTILE_STAYS),
	HOSTILE_ATTACK(bell_with_descriptors_in_it, HOSTILE_CLOSED),
	HOSTILE_ATTACK(rings_with_descriptors, HOSTILE_STAYS),
	HOSTILE_ATTACK(rings_without_end, HOSTILE_STAYS),
	{0},
};
