/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare ping-pong over UDP: two sockets on loopback, one datagram there and one back, and nothing in between but the
 * kernel. Both sides look without sleeping, as weft does.
 */
#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/clock.h>

#define LEN_MAX 65000u
#define LEN_MIN sizeof(uint64_t) /* of its number */
#define LIMIT_NS UINT64_C(1000000000)
#define ALONE_NS UINT64_C(2000000000) /* a side that hears nothing for so long is alone */
#define LOOKS 1024u                   /* between two looks at the clock */

/* One side. */
struct end {
	int fd;
	size_t len_bytes;
	bool yields; /* the other one needs this core */
	unsigned char bytes[LEN_MAX];
};

static int socket_on_loopback(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int connect_to(int fd, int other)
{
	struct sockaddr_in at;
	socklen_t len = sizeof at;

	if (getsockname(other, (struct sockaddr *)&at, &len) < 0)
		return -1;
	return connect(fd, (struct sockaddr *)&at, len);
}

static int open_both(int fds[2])
{
	fds[0] = socket_on_loopback();
	fds[1] = socket_on_loopback();
	if (fds[0] >= 0 && fds[1] >= 0 && connect_to(fds[0], fds[1]) == 0 && connect_to(fds[1], fds[0]) == 0)
		return 0;
	for (unsigned int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return -1;
}

/* All of it written, by words of the number. */
static bool put(struct end *end, uint64_t number)
{
	size_t at = 0;

	for (; at + sizeof number <= end->len_bytes; at += sizeof number)
		memcpy(end->bytes + at, &number, sizeof number);
	memset(end->bytes + at, (int)(number & 0xff), end->len_bytes - at);
	return send(end->fd, end->bytes, end->len_bytes, MSG_NOSIGNAL) == (ssize_t)end->len_bytes;
}

/* Its number, all of it read; 0: nothing comes, or it is altered. */
static uint64_t await(struct end *end)
{
	uint64_t deadline_ns = 0, number, word;

	for (unsigned int looks = 1; recv(end->fd, end->bytes, end->len_bytes, MSG_DONTWAIT) < 0; looks++) {
		uint64_t now_ns = looks % LOOKS ? 0 : weft_clock_now(weft_clock_real());

		if (end->yields)
			sched_yield();
		if (now_ns && !deadline_ns)
			deadline_ns = now_ns + ALONE_NS;
		else if (now_ns > deadline_ns)
			return 0;
	}
	memcpy(&number, end->bytes, sizeof number);
	for (size_t at = 0; at + sizeof word <= end->len_bytes; at += sizeof word) {
		memcpy(&word, end->bytes + at, sizeof word);
		if (word != number)
			return 0;
	}
	return number;
}

static void answer(struct end *end)
{
	uint64_t number;

	while ((number = await(end)) && number != UINT64_MAX)
		if (!put(end, number))
			return;
}

/* How many round trips there were. */
static unsigned int ask(struct end *end, unsigned int iterations, struct weft_histogram *out)
{
	uint64_t limit = (uint64_t)((double)LIMIT_NS / weft_clock_ticks_to_ns(1));
	uint64_t start = weft_clock_ticks(), before = start, now;
	unsigned int done = 0;

	while (done < iterations && before - start < limit) {
		if (!put(end, done + 1) || await(end) != done + 1)
			return 0;
		now = weft_clock_ticks();
		/* The first tenth, of them or of the time, is for warming up. */
		if (++done > iterations / 10 || now - start > limit / 10)
			weft_histogram_record(out, (uint64_t)(weft_clock_ticks_to_ns(now - before) + 0.5));
		before = now;
	}
	(void)put(end, UINT64_MAX);
	return done;
}

int floor_datagram_pingpong(size_t len_bytes, unsigned int iterations, int core_a, int core_b,
			    struct weft_histogram *out)
{
	static struct end end;
	cpu_set_t before;
	unsigned int done;
	pid_t child;
	int fds[2];

	if (len_bytes > LEN_MAX || open_both(fds) < 0)
		return -1;
	weft_clock_real(); /* calibrated before the race */
	CPU_ZERO(&before);
	sched_getaffinity(0, sizeof before, &before);
	end = (struct end){.len_bytes = len_bytes > LEN_MIN ? len_bytes : LEN_MIN,
			   .yields = core_a >= 0 ? core_a == core_b : CPU_COUNT(&before) == 1};
	child = fork();
	end.fd = fds[child == 0];
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		floor_pin(core_b);
		answer(&end);
		_exit(0);
	}
	floor_pin(core_a);
	done = child > 0 ? ask(&end, iterations, out) : 0;
	if (child > 0 && !done)
		kill(child, SIGKILL);
	if (child > 0)
		waitpid(child, NULL, 0);
	sched_setaffinity(0, sizeof before, &before);
	close(fds[0]);
	close(fds[1]);
	if (!done)
		errno = EIO;
	return done ? 0 : -1;
}
