/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pins the handshake byte by byte: what is sent is what stands in golden/, and what stands there is understood. A
 * change that this test sees is a new WEFT__SHM_VERSION; "wire_ut --update DIRECTORY" then writes the files anew.
 */
#include "fault.h"
#include "shm/wire.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/errors.h>

#define LINE_BYTES 16

static const char *const names[] = {[SHM_ATTACH] = "attach", [SHM_ACCEPT] = "accept", [SHM_REFUSE] = "refuse",
				    [SHM_SHARE] = "share",   [SHM_SHARED] = "shared", [SHM_BYE] = "bye"};

static struct shm_wire sample(enum shm_message_type type)
{
	struct shm_wire wire = {.magic = SHM_WIRE_MAGIC, .version = WEFT__SHM_VERSION, .type = (uint16_t)type};

	switch (type) {
	case SHM_ATTACH:
	case SHM_ACCEPT:
		wire.incarnation = UINT64_C(0x1122334455667788);
		wire.segment_len_bytes[0] = 2 << 20;
		wire.segment_len_bytes[1] = 4 << 20;
		wire.rings = (struct shm_place){3, 0, 4096};
		wire.armed = (struct shm_place){5, 0, 64};
		wire.life = (struct shm_place){7, 0, 1032};
		wire.slots[WEFT_CLASS_EXPRESS] = 64;
		wire.slots[WEFT_CLASS_NORMAL] = 1024;
		wire.hello_len_bytes = 5;
		memcpy(wire.hello, "hello", 5);
		break;
	case SHM_REFUSE:
		wire.incarnation = 1;
		wire.error = -WEFT_ECONNREFUSED;
		break;
	case SHM_SHARE:
		wire.segment_len_bytes[0] = 64 << 20;
		wire.rings.segment_id = 9;
		break;
	case SHM_SHARED:
		wire.rings.segment_id = 9;
		break;
	case SHM_BYE:
		break;
	}
	return wire;
}

static void path_of(char out[512], const char *directory, enum shm_message_type type)
{
	snprintf(out, 512, "%s/%s.hex", directory, names[type]);
}

/* The bytes of a file of hexadecimal numbers; returns how many. */
static size_t read_golden(enum shm_message_type type, unsigned char *out, size_t max)
{
	char path[512];
	unsigned int byte;
	size_t len = 0;
	FILE *file;

	path_of(path, WEFT_TEST_GOLDEN, type);
	file = fopen(path, "re");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	while (len < max && fscanf(file, "%2x", &byte) == 1)
		out[len++] = (unsigned char)byte;
	fclose(file);
	return len;
}

static int update(const char *directory)
{
	for (unsigned int type = SHM_ATTACH; type <= SHM_BYE; type++) {
		struct shm_wire wire = sample(type);
		char path[512];
		FILE *file;

		path_of(path, directory, type);
		file = fopen(path, "we");
		if (!file)
			return 1;
		for (size_t i = 0; i < sizeof wire; i++)
			fprintf(file, "%02x%c", ((const unsigned char *)&wire)[i],
				i % LINE_BYTES == LINE_BYTES - 1 || i == sizeof wire - 1 ? '\n' : ' ');
		fclose(file);
	}
	return 0;
}

static void what_is_sent_is_what_was_pinned(void)
{
	int ends[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	for (unsigned int type = SHM_ATTACH; type <= SHM_BYE; type++) {
		unsigned char golden[1024], sent[1024];
		struct shm_wire wire = sample(type);
		size_t len = read_golden(type, golden, sizeof golden);

		CU_ASSERT_EQUAL_FATAL(shm_wire_send(ends[0], &wire, NULL, 0), 0);
		CU_ASSERT_EQUAL(recv(ends[1], sent, sizeof sent, 0), (ssize_t)len);
		CU_ASSERT_EQUAL(memcmp(sent, golden, len), 0);
	}
	close(ends[0]);
	close(ends[1]);
}

static void what_was_pinned_is_understood(void)
{
	for (unsigned int type = SHM_ATTACH; type <= SHM_BYE; type++) {
		struct shm_wire wire, wanted = sample(type);
		unsigned char golden[1024];
		size_t len = read_golden(type, golden, sizeof golden);

		CU_ASSERT_EQUAL_FATAL(shm_wire_decode(golden, len, &wire), 0);
		CU_ASSERT_EQUAL(memcmp(&wire, &wanted, sizeof wire), 0);
	}
}

static void the_version_before_and_the_next_are_refused(void)
{
	for (int step = -1; step <= 1; step += 2) {
		unsigned char golden[1024];
		struct shm_wire wire;
		size_t len = read_golden(SHM_ATTACH, golden, sizeof golden);

		golden[offsetof(struct shm_wire, version)] += (unsigned char)step;
		CU_ASSERT_EQUAL(shm_wire_decode(golden, len, &wire), -WEFT_EVERSION);
	}
}

/* Descriptors travel with a message, and those beyond what a message may have are closed. */
static void descriptors_arrive_or_are_closed(void)
{
	struct shm_wire wire = sample(SHM_ATTACH), got;
	unsigned long kept = fault_count_kept();
	int ends[2], fds[SHM_FDS_MAX], most[SHM_FDS_MAX] = {0, 1, 2, 0};
	unsigned int count;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	for (unsigned int sent = 0; sent <= SHM_FDS_MAX; sent++) {
		CU_ASSERT_EQUAL(shm_wire_send(ends[0], &wire, most, sent), 0);
		CU_ASSERT_EQUAL(shm_wire_receive(ends[1], 0, &got, fds, &count), 1);
		CU_ASSERT_EQUAL(count, sent);
		while (count)
			CU_ASSERT_EQUAL(close(fds[--count]), 0);
	}
	wire.magic = 0;
	CU_ASSERT_EQUAL(shm_wire_send(ends[0], &wire, most, SHM_FDS_MAX), 0);
	CU_ASSERT_EQUAL(shm_wire_receive(ends[1], 0, &got, fds, &count), -WEFT_EPROTO);
	CU_ASSERT_EQUAL(count, 0);
	CU_ASSERT_EQUAL(shm_wire_receive(ends[1], 0, &got, fds, &count), -WEFT_EAGAIN);
	close(ends[0]);
	CU_ASSERT_EQUAL(shm_wire_receive(ends[1], 0, &got, fds, &count), 0);
	close(ends[1]);
	CU_ASSERT_TRUE(fault_keeps_only(kept));
}

/* A message with that many descriptors, of which none stays open. */
static void receive_and_leave_nothing(const void *bytes, size_t len_bytes, unsigned int count, int wanted)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(SHM_FDS_SENT_MAX * sizeof(int))];
	} control = {.bytes = {0}};
	struct iovec iov = {(void *)(uintptr_t)bytes, len_bytes};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = CMSG_SPACE(count * sizeof(int))};
	unsigned long kept = fault_count_kept();
	struct shm_wire got;
	int ends[2], fds[SHM_FDS_MAX];
	unsigned int given;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	control.align = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS,
					 .cmsg_len = CMSG_LEN(count * sizeof(int))};
	for (unsigned int i = 0; i < count; i++)
		memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &ends[0], sizeof(int));
	CU_ASSERT_EQUAL(sendmsg(ends[0], &message, 0), (ssize_t)len_bytes);
	CU_ASSERT_EQUAL(shm_wire_receive(ends[1], 0, &got, fds, &given), wanted);
	for (unsigned int i = 0; wanted == 1 && i < given; i++)
		close(fds[i]);
	close(ends[0]);
	close(ends[1]);
	CU_ASSERT_TRUE(fault_keeps_only(kept));
}

static void descriptors_that_are_too_many_are_closed_and_those_of_an_empty_packet_too(void)
{
	struct shm_wire wire = sample(SHM_SHARE);

	receive_and_leave_nothing(&wire, sizeof wire, SHM_FDS_MAX, 1);
	receive_and_leave_nothing(&wire, sizeof wire, SHM_FDS_MAX + 1, -WEFT_EPROTO);
	receive_and_leave_nothing(&wire, 3, SHM_FDS_SENT_MAX, -WEFT_EPROTO);
	receive_and_leave_nothing("", 0, 3, 0);
}

static void a_farewell_is_heard_from_a_peer_that_did_not_read_everything(void)
{
	struct shm_wire share = sample(SHM_SHARED), bye = sample(SHM_BYE), got;
	int ends[2], fds[SHM_FDS_MAX];
	unsigned int count;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	CU_ASSERT_EQUAL(shm_wire_send(ends[1], &share, NULL, 0), 0);
	CU_ASSERT_EQUAL(shm_wire_send(ends[0], &bye, NULL, 0), 0);
	close(ends[0]);
	CU_ASSERT_EQUAL(shm_wire_receive(ends[1], 0, &got, fds, &count), 1);
	CU_ASSERT_EQUAL(got.type, SHM_BYE);
	CU_ASSERT_EQUAL(shm_wire_receive(ends[1], 0, &got, fds, &count), 0);
	close(ends[1]);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(what_is_sent_is_what_was_pinned),
		SUITE_CASE(what_was_pinned_is_understood),
		SUITE_CASE(the_version_before_and_the_next_are_refused),
		SUITE_CASE(descriptors_arrive_or_are_closed),
		SUITE_CASE(descriptors_that_are_too_many_are_closed_and_those_of_an_empty_packet_too),
		SUITE_CASE(a_farewell_is_heard_from_a_peer_that_did_not_read_everything),
	};

	if (argc == 3 && strcmp(argv[1], "--update") == 0)
		return update(argv[2]);
	return suite_main("shm wire", cases, SUITE_COUNT(cases), argc, argv);
}
