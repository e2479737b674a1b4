/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets of a net: a group that shares the address, in which the kernel steers by the first two bytes of what it
 * carries. The program of the group stands before the first socket is bound: then the kernel binds it only where no
 * other socket is, also none that would share.
 */
#include "udp/udp.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <weft/errors.h>

#define FORGET_MAX 1000000u /* datagrams; no buffer of a socket has room for more */

WEFT_PRINTF(2, 3) static void degrade(struct udp_net *net, const char *format, ...)
{
	va_list arguments;

	if (net->degraded_count == UDP_DEGRADED_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(net->degraded[net->degraded_count++], sizeof net->degraded[0], format, arguments);
	va_end(arguments);
}

/* ---- options of a socket ---- */

static bool set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/* What a socket cannot do without, or false with errno. */
static bool set_needed(const struct udp_net *net, int fd)
{
	if (!set(fd, SOL_SOCKET, SO_REUSEPORT, 1))
		return false;
	/* Which of our addresses a packet was sent to; on IPv6 also of IPv4 in disguise. */
	if (net->wildcard && !(net->family == AF_INET6 ? set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
						       : set(fd, IPPROTO_IP, IP_PKTINFO, 1)))
		return false;
	if (net->family == AF_INET6 &&
	    (!set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !net->dual) || !set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) ||
	     !set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO)))
		return false;
	if (net->family == AF_INET6 && !net->dual)
		return true;
	return set(fd, IPPROTO_IP, IP_RECVTOS, 1) && set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
}

/* As large as the system allows; how large that is. */
static int set_buffer(int fd, int forced, int asked)
{
	socklen_t len = sizeof(int);
	int got = 0;

	if (!set(fd, SOL_SOCKET, forced, UDP_BUFFER_BYTES))
		set(fd, SOL_SOCKET, asked, UDP_BUFFER_BYTES);
	getsockopt(fd, SOL_SOCKET, asked, &got, &len);
	return got / 2; /* the kernel counts its own needs in, and reports twice as much */
}

static void set_buffers(struct udp_net *net, int fd)
{
	int rx_bytes = set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	int tx_bytes = set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);

	if (net->socket_count > 0)
		return; /* said already */
	if (rx_bytes < UDP_BUFFER_LEAST_BYTES)
		degrade(net,
			"udp: receive buffers have %d of %d bytes, so bursts may be lost: sysctl "
			"net.core.rmem_max=%d",
			rx_bytes, UDP_BUFFER_BYTES, UDP_BUFFER_BYTES);
	if (tx_bytes < UDP_BUFFER_LEAST_BYTES)
		degrade(net,
			"udp: send buffers have %d of %d bytes, so bursts are cut short: sysctl "
			"net.core.wmem_max=%d",
			tx_bytes, UDP_BUFFER_BYTES, UDP_BUFFER_BYTES);
}

/* Nothing passes. */
static bool shut(int fd)
{
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog program = {1, nothing};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

/* The group's program: the number of the socket stands at the head of what the datagram carries. */
static bool steer(int fd)
{
	struct sock_filter head[] = {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_A, 0)};
	struct sock_fprog program = {2, head};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0;
}

/* ---- sockets ---- */

static int refuse(const struct udp_net *net, const char *what)
{
	int code = weft_error_from_errno(errno);
	char text[WEFT_NET_TEXT_MAX];

	weft__ip_address_write(&net->address, text);
	if (errno == EADDRINUSE)
		return weft_set_error(code, "udp address %s is in use: end who has it, or take another port", text);
	if (errno == EADDRNOTAVAIL)
		return weft_set_error(WEFT_ENODEV, "udp address %s is not one of this machine: see ip address", text);
	return weft_set_error(code, "udp %s: %s: %m", text, what);
}

static int bind_next(struct udp_net *net, int fd)
{
	union ip_sockaddr at;
	socklen_t len = weft__ip_address_to(&net->address, &at);

	if (!set_needed(net, fd) || !shut(fd))
		return refuse(net, "setsockopt");
	set_buffers(net, fd);
	if (net->socket_count == 0 && !steer(fd))
		return refuse(net, "SO_ATTACH_REUSEPORT_CBPF");
	if (bind(fd, &at.any, len) < 0)
		return refuse(net, "bind");
	return 0;
}

static int add_socket(struct udp_net *net)
{
	int fd = socket(net->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP), rc;

	if (fd < 0)
		return refuse(net, "socket");
	rc = bind_next(net, fd);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	net->sockets[net->socket_count++] = fd;
	return 0;
}

/* Learns the port that the kernel has chosen. */
static int learn_port(struct udp_net *net)
{
	union ip_sockaddr at;
	socklen_t len = sizeof at;

	if (getsockname(net->sockets[0], &at.any, &len) < 0)
		return refuse(net, "getsockname");
	weft__ip_address_set_port(&net->address, ntohs(at.any.sa_family == AF_INET ? at.v4.sin_port : at.v6.sin6_port));
	return 0;
}

int weft__udp_group_open(struct udp_net *net)
{
	int rc = add_socket(net), zero = 0;

	if (rc == 0)
		rc = learn_port(net);
	if (rc < 0) {
		weft__udp_group_close(net);
		return rc;
	}
	net->segments_tx = setsockopt(net->sockets[0], IPPROTO_UDP, UDP_SEGMENT, &zero, sizeof zero) == 0;
	atomic_init(&net->segments_rx, set(net->sockets[0], IPPROTO_UDP, UDP_GRO, 0));
	if (!net->segments_tx || !atomic_load_explicit(&net->segments_rx, memory_order_relaxed))
		degrade(net,
			"udp: packets cross the kernel one by one, which costs half of the speed: Linux 5.0 or newer "
			"puts them together");
	return 0;
}

void weft__udp_group_close(struct udp_net *net)
{
	while (net->socket_count)
		close(net->sockets[--net->socket_count]);
}

int weft__udp_group_take(struct udp_net *net, unsigned int index)
{
	int fd, rc = 0, ignored = 0;

	while (rc == 0 && net->socket_count <= index)
		rc = add_socket(net);
	if (rc < 0)
		return rc;
	fd = net->sockets[index];
	if (atomic_load_explicit(&net->segments_rx, memory_order_relaxed))
		set(fd, IPPROTO_UDP, UDP_GRO, 1);
	if (index > 0)
		set(fd, SOL_SOCKET, SO_BUSY_POLL, UDP_BUSY_POLL_US); /* where we are allowed to */
	if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &ignored, sizeof ignored) < 0)
		return refuse(net, "SO_DETACH_FILTER");
	return 0;
}

void weft__udp_group_give_back(struct udp_net *net, unsigned int index)
{
	int fd = net->sockets[index];
	unsigned int forgotten = 0;
	char byte;

	shut(fd);
	set(fd, IPPROTO_UDP, UDP_GRO, 0);
	while (forgotten++ < FORGET_MAX && recv(fd, &byte, sizeof byte, MSG_DONTWAIT | MSG_TRUNC) >= 0)
		;
}
