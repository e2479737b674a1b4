/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks by the first message. What is wrong in it is found before there is a path.
 */
#include "hostile.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/segment.h>

/* Says what was prepared and spoiled, and hears a refusal or nothing at all. */
void hostile_be_refused(struct hostile *h)
{
	struct shm_wire wire;
	int type;

	hostile_say_attach(h);
	type = hostile_receive(h, &wire, NULL);
	HOSTILE_EXPECT(type == 0 || type == SHM_REFUSE);
	HOSTILE_EXPECT(type == 0 || wire.error < 0);
	HOSTILE_EXPECT(type == 0 || hostile_receive(h, &wire, NULL) == 0);
	close(h->control_fd);
}

/* One field at a time. SPOILED(name, statement...) */
#define SPOILED(name, ...)                  \
	static void name(struct hostile *h) \
	{                                   \
		__VA_ARGS__;                \
		hostile_be_refused(h);      \
	}

SPOILED(wrong_magic, h->attach.magic ^= 1)
SPOILED(wrong_version, h->attach.version++)
SPOILED(unknown_features, h->attach.features = 1)
SPOILED(type_of_an_answer, h->attach.type = SHM_ACCEPT)
SPOILED(type_of_later, h->attach.type = SHM_SHARE)
SPOILED(type_zero, h->attach.type = 0)
SPOILED(type_unknown, h->attach.type = 999)
SPOILED(hello_too_long, h->attach.hello_len_bytes = WEFT_HELLO_MAX + 1)
SPOILED(hello_far_too_long, h->attach.hello_len_bytes = UINT16_MAX)
SPOILED(hello_that_names_no_port, h->attach.hello[0] = 200)
SPOILED(hello_empty, h->attach.hello_len_bytes = 0)
SPOILED(no_slots, h->attach.slots[0] = 0)
SPOILED(too_few_slots, h->attach.slots[1] = 8)
SPOILED(slots_no_power_of_two, h->attach.slots[1] = 65)
SPOILED(too_many_slots, h->attach.slots[0] = 131072)
SPOILED(slots_beyond_the_segment, h->attach.slots[1] = 65536)
SPOILED(slots_that_wrap, h->attach.slots[0] = h->attach.slots[1] = 0x80000000u)
SPOILED(rings_over_the_header, h->attach.rings.offset_bytes = 0)
SPOILED(rings_between_lines, h->attach.rings.offset_bytes += 8)
SPOILED(rings_beyond_the_end, h->attach.rings.offset_bytes = HOSTILE_MEMORY_BYTES)
SPOILED(rings_that_do_not_fit, h->attach.rings.offset_bytes = HOSTILE_MEMORY_BYTES - 4096)
SPOILED(rings_that_wrap, h->attach.rings.offset_bytes = UINT64_MAX - 63)
SPOILED(armed_over_the_header, h->attach.armed.offset_bytes = 0)
SPOILED(armed_between_lines, h->attach.armed.offset_bytes += 4)
SPOILED(armed_beyond_the_end, h->attach.armed.offset_bytes = HOSTILE_MEMORY_BYTES)
SPOILED(armed_that_wraps, h->attach.armed.offset_bytes = UINT64_MAX - 63)
SPOILED(life_over_the_header, h->attach.life.offset_bytes = 8)
SPOILED(life_between_words, h->attach.life.offset_bytes += 4)
SPOILED(life_beyond_the_end, h->attach.life.offset_bytes = HOSTILE_MEMORY_BYTES)
SPOILED(life_that_wraps, h->attach.life.offset_bytes = UINT64_MAX - 7)
SPOILED(life_in_a_segment_that_is_none, h->attach.life.segment_id = 1; h->attach_fds[2] = h->bell_fd)
SPOILED(wrong_incarnation, h->attach.incarnation++)
SPOILED(wrong_segment, h->attach.rings.segment_id = 1)
SPOILED(short_message, h->attach_len_bytes--)
SPOILED(one_byte, h->attach_len_bytes = 1)
SPOILED(no_descriptors, h->attach_fd_count = 0)
SPOILED(one_descriptor, h->attach_fd_count = 1)
SPOILED(two_descriptors, h->attach_fd_count = 2)
SPOILED(three_descriptors, h->attach_fd_count = 3)
SPOILED(eight_descriptors, for (h->attach_fd_count = SHM_FDS_MAX; h->attach_fd_count < 8;)
				   h->attach_fds[h->attach_fd_count++] = h->memory_fd)

static void long_message(struct hostile *h)
{
	unsigned char bytes[sizeof h->attach + 1] = {0};
	struct shm_wire wire;

	memcpy(bytes, &h->attach, sizeof h->attach);
	h->control_fd = hostile_connect(h);
	HOSTILE_EXPECT(hostile_send(h->control_fd, bytes, sizeof bytes, h->attach_fds, SHM_FDS_MAX));
	HOSTILE_EXPECT(hostile_receive(h, &wire, NULL) != SHM_ACCEPT);
}

static void nothing_that_is_a_packet(struct hostile *h)
{
	h->control_fd = hostile_connect(h);
	HOSTILE_EXPECT(hostile_send(h->control_fd, "", 0, NULL, 0));
	HOSTILE_EXPECT(hostile_receive(h, &h->accept, NULL) != SHM_ACCEPT);
}

/* ---- memory that is not what it should be ---- */

static const char *const other_files[] = {"/dev/null", "/dev/zero", "/proc/self/maps", "/"};

static void files_that_are_no_memory(struct hostile *h)
{
	for (unsigned int i = 0; i < 4; i++) {
		h->attach_fds[0] = h->attach_fds[1] = open(other_files[i], O_RDONLY | O_CLOEXEC);
		HOSTILE_EXPECT(h->attach_fds[0] >= 0);
		hostile_be_refused(h);
	}
}

static void sockets_and_pipes_as_memory(struct hostile *h)
{
	int ends[2];

	h->attach_fds[0] = h->attach_fds[1] = h->bell_fd;
	hostile_be_refused(h);
	HOSTILE_EXPECT(pipe2(ends, O_CLOEXEC) == 0);
	h->attach_fds[0] = ends[0];
	hostile_be_refused(h);
}

static void say_with_memory(struct hostile *h, size_t len_bytes, size_t said_bytes, unsigned int seals)
{
	struct weft_segment_header header;

	memcpy(&header, h->memory, sizeof header);
	header.len_bytes = said_bytes;
	h->attach_fds[0] = h->attach_fds[1] = hostile_memfd(len_bytes, &header, seals, NULL);
	hostile_be_refused(h);
	close(h->attach_fds[0]);
}

static void a_seal_is_missing(struct hostile *h)
{
	static const unsigned int seals[] = {F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_FUTURE_WRITE};

	say_with_memory(h, HOSTILE_MEMORY_BYTES, HOSTILE_MEMORY_BYTES, 0);
	for (unsigned int i = 0; i < 4; i++)
		say_with_memory(h, HOSTILE_MEMORY_BYTES, HOSTILE_MEMORY_BYTES, HOSTILE_ALL_SEALS & ~seals[i]);
}

static void files_that_are_too_short(struct hostile *h)
{
	say_with_memory(h, 0, HOSTILE_MEMORY_BYTES, HOSTILE_ALL_SEALS);
	say_with_memory(h, 4096, HOSTILE_MEMORY_BYTES, HOSTILE_ALL_SEALS);
	say_with_memory(h, 4096, 4096, HOSTILE_ALL_SEALS); /* true, but the rings lie outside */
	say_with_memory(h, 4096 + 64, 4096 + 64, HOSTILE_ALL_SEALS);
	say_with_memory(h, HOSTILE_MEMORY_BYTES + 4096, HOSTILE_MEMORY_BYTES, HOSTILE_ALL_SEALS);
	say_with_memory(h, HOSTILE_MEMORY_BYTES, UINT64_MAX, HOSTILE_ALL_SEALS);
}

/* Reading a hole could fail with SIGBUS when memory is short. */
static void memory_with_a_hole(struct hostile *h)
{
	int fd = memfd_create("attack", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	HOSTILE_EXPECT(fd >= 0 && ftruncate(fd, (off_t)HOSTILE_MEMORY_BYTES) == 0);
	HOSTILE_EXPECT(pwrite(fd, h->memory, 64, 0) == 64);
	HOSTILE_EXPECT(fcntl(fd, F_ADD_SEALS, HOSTILE_ALL_SEALS) == 0);
	h->attach_fds[0] = h->attach_fds[1] = fd;
	hostile_be_refused(h);
}

static void wrong_header(struct hostile *h)
{
	for (size_t i = 0; i < 36; i++) {
		h->memory[i] ^= 0x55;
		hostile_be_refused(h);
		h->memory[i] ^= 0x55;
	}
}

/* Another segment for the armed line, which is wrong, while that of the rings is right. */
static void second_segment_wrong(struct hostile *h)
{
	h->attach.armed.segment_id = 1;
	h->attach_fds[1] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	hostile_be_refused(h);
}

const struct hostile_attack hostile_handshakes[] = {
	HOSTILE_ATTACK(wrong_magic, HOSTILE_REFUSED),
	HOSTILE_ATTACK(wrong_version, HOSTILE_REFUSED),
	HOSTILE_ATTACK(unknown_features, HOSTILE_REFUSED),
	HOSTILE_ATTACK(type_of_an_answer, HOSTILE_REFUSED),
	HOSTILE_ATTACK(type_of_later, HOSTILE_REFUSED),
	HOSTILE_ATTACK(type_zero, HOSTILE_REFUSED),
	HOSTILE_ATTACK(type_unknown, HOSTILE_REFUSED),
	HOSTILE_ATTACK(hello_too_long, HOSTILE_REFUSED),
	HOSTILE_ATTACK(hello_far_too_long, HOSTILE_REFUSED),
	HOSTILE_ATTACK(hello_that_names_no_port, HOSTILE_REFUSED),
	HOSTILE_ATTACK(hello_empty, HOSTILE_REFUSED),
	HOSTILE_ATTACK(no_slots, HOSTILE_REFUSED),
	HOSTILE_ATTACK(too_few_slots, HOSTILE_REFUSED),
	HOSTILE_ATTACK(slots_no_power_of_two, HOSTILE_REFUSED),
	HOSTILE_ATTACK(too_many_slots, HOSTILE_REFUSED),
	HOSTILE_ATTACK(slots_beyond_the_segment, HOSTILE_REFUSED),
	HOSTILE_ATTACK(slots_that_wrap, HOSTILE_REFUSED),
	HOSTILE_ATTACK(rings_over_the_header, HOSTILE_REFUSED),
	HOSTILE_ATTACK(rings_between_lines, HOSTILE_REFUSED),
	HOSTILE_ATTACK(rings_beyond_the_end, HOSTILE_REFUSED),
	HOSTILE_ATTACK(rings_that_do_not_fit, HOSTILE_REFUSED),
	HOSTILE_ATTACK(rings_that_wrap, HOSTILE_REFUSED),
	HOSTILE_ATTACK(armed_over_the_header, HOSTILE_REFUSED),
	HOSTILE_ATTACK(armed_between_lines, HOSTILE_REFUSED),
	HOSTILE_ATTACK(armed_beyond_the_end, HOSTILE_REFUSED),
	HOSTILE_ATTACK(armed_that_wraps, HOSTILE_REFUSED),
	HOSTILE_ATTACK(life_over_the_header, HOSTILE_REFUSED),
	HOSTILE_ATTACK(life_between_words, HOSTILE_REFUSED),
	HOSTILE_ATTACK(life_beyond_the_end, HOSTILE_REFUSED),
	HOSTILE_ATTACK(life_that_wraps, HOSTILE_REFUSED),
	HOSTILE_ATTACK(life_in_a_segment_that_is_none, HOSTILE_REFUSED),
	HOSTILE_ATTACK(wrong_incarnation, HOSTILE_REFUSED),
	HOSTILE_ATTACK(wrong_segment, HOSTILE_REFUSED),
	HOSTILE_ATTACK(short_message, HOSTILE_REFUSED),
	HOSTILE_ATTACK(one_byte, HOSTILE_REFUSED),
	HOSTILE_ATTACK(no_descriptors, HOSTILE_REFUSED),
	HOSTILE_ATTACK(one_descriptor, HOSTILE_REFUSED),
	HOSTILE_ATTACK(two_descriptors, HOSTILE_REFUSED),
	HOSTILE_ATTACK(three_descriptors, HOSTILE_REFUSED),
	HOSTILE_ATTACK(eight_descriptors, HOSTILE_REFUSED),
	HOSTILE_ATTACK(long_message, HOSTILE_REFUSED),
	HOSTILE_ATTACK(nothing_that_is_a_packet, HOSTILE_REFUSED),
	HOSTILE_ATTACK(files_that_are_no_memory, HOSTILE_REFUSED),
	HOSTILE_ATTACK(sockets_and_pipes_as_memory, HOSTILE_REFUSED),
	HOSTILE_ATTACK(a_seal_is_missing, HOSTILE_REFUSED),
	HOSTILE_ATTACK(files_that_are_too_short, HOSTILE_REFUSED),
	HOSTILE_ATTACK(memory_with_a_hole, HOSTILE_REFUSED),
	HOSTILE_ATTACK(wrong_header, HOSTILE_REFUSED),
	HOSTILE_ATTACK(second_segment_wrong, HOSTILE_REFUSED),
	{0},
};
