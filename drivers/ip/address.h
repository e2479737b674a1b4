/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of drivers that speak UDP over IP, by whatever means.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <weft/net.h>

#include <netinet/in.h>
#include <sys/socket.h>

union ip_sockaddr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

int weft__ip_address_read(const char *text, struct weft_net_address *out);
void weft__ip_address_write(const struct weft_net_address *address, char *text);
/* An address of ours for the kernel; its length, or 0 if it is none. One of any host is that of IPv6. */
socklen_t weft__ip_address_to(const struct weft_net_address *address, union ip_sockaddr *out);
/* An address of the kernel's; IPv4 inside of IPv6 becomes IPv4. False if it is of another kind. */
bool weft__ip_address_from(const union ip_sockaddr *from, struct weft_net_address *out);
/* The host as IP writes it; 4 or 6, which IP that is, or 0 if it is none. Unused bytes are 0. */
uint8_t weft__ip_address_split(const struct weft_net_address *address, uint8_t host[16]);
/* The other way round; 4 or 6. */
void weft__ip_address_join(uint8_t version, const uint8_t *host, uint16_t port, struct weft_net_address *out);
/* What kinds there are. */
bool weft__ip_address_is_any(const struct weft_net_address *address);      /* ":7000" */
bool weft__ip_address_is_loopback(const struct weft_net_address *address); /* of this machine only */
bool weft__ip_address_is_host(const struct weft_net_address *address);     /* can be sent to */
bool weft__ip_address_is_wildcard(const struct weft_net_address *address); /* whatever this machine has */
/* Without its port; of those that stay on this machine there is one. */
void weft__ip_address_host(const struct weft_net_address *address, struct weft_net_address *out);
uint16_t weft__ip_address_port(const struct weft_net_address *address);
void weft__ip_address_set_port(struct weft_net_address *address, uint16_t port);

#endif
