/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UCX (UCP) by tagged messages, or by active messages (-v am), all of a window outstanding at once. Which transports it
 * uses is for UCX_TLS to say. Addresses are exchanged over a pair of sockets before the measurement.
 */
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <ucp/api/ucp.h>
#include <unistd.h>

#define TAG 7
#define AM_ID 7
#define ARRIVED_MAX 1024 /* a power of two, and more than both windows */

static int exchange[2];
static ucp_context_h context;
static ucp_worker_h worker;
static ucp_ep_h endpoint;
static bool active; /* active messages instead of tagged ones */

/* An active message that nobody has asked for yet. */
struct arrival {
	void *data; /* of UCX, or the descriptor of a rendezvous */
	bool rendezvous;
	bool copied; /* data is from malloc */
};
static struct arrival arrived[ARRIVED_MAX];
static unsigned int arrived_head, arrived_tail;
/* What the receiver waits for. */
static unsigned char *const *wanted;
static unsigned int wanted_count, wanted_done;
static size_t wanted_len;
static void *fetches[PEER_WINDOW_MAX]; /* rendezvous that are under way */
static unsigned int fetch_count;

static void check(const char *what, ucs_status_t status)
{
	if (status != UCS_OK)
		peer_die("ucx: %s: %s", what, ucs_status_string(status));
}

static void ucx_prepare(struct peer_run *run)
{
	if (!run->variant[0])
		run->variant = "tag";
	active = strcmp(run->variant, "am") == 0;
	if (!active && strcmp(run->variant, "tag"))
		peer_die("ucx: variant '%s', it must be tag or am", run->variant);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, exchange))
		peer_die("socketpair: %s", strerror(errno));
}

static void whole(bool sending, int fd, void *data, size_t len_bytes)
{
	for (size_t done = 0; done < len_bytes;) {
		unsigned char *at = (unsigned char *)data + done;
		ssize_t n = sending ? write(fd, at, len_bytes - done) : read(fd, at, len_bytes - done);

		if (n <= 0)
			peer_die("ucx: exchange of addresses failed");
		done += (size_t)n;
	}
}

static void ucx_connect(int fd)
{
	ucp_ep_params_t params = {.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS};
	ucp_address_t *own;
	size_t own_len, peer_len;
	void *peer;

	check("address", ucp_worker_get_address(worker, &own, &own_len));
	whole(true, fd, &own_len, sizeof own_len);
	whole(true, fd, own, own_len);
	whole(false, fd, &peer_len, sizeof peer_len);
	if (!(peer = malloc(peer_len)))
		peer_die("ucx: no memory for an address");
	whole(false, fd, peer, peer_len);
	params.address = peer;
	check("endpoint", ucp_ep_create(worker, &params, &endpoint));
	ucp_worker_release_address(worker, own);
	free(peer);
}

static void fetch(void *descriptor, unsigned char *to)
{
	static const ucp_request_param_t plain = {0};
	void *request = ucp_am_recv_data_nbx(worker, descriptor, to, wanted_len, &plain);

	if (request)
		fetches[fetch_count++] = request;
}

/* Straight into the buffer if one is waiting, as a good handler would; else it stays where it is until one is. */
static ucs_status_t on_message(void *arg, const void *header, size_t header_len, void *data, size_t len_bytes,
			       const ucp_am_recv_param_t *param)
{
	struct arrival arrival = {data, param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV, false};

	(void)arg, (void)header, (void)header_len;
	if (wanted_done < wanted_count) {
		if (len_bytes != wanted_len)
			peer_die("ucx: %zu bytes came instead of %zu", len_bytes, wanted_len);
		if (arrival.rendezvous) {
			fetch(data, wanted[wanted_done++]);
			return UCS_INPROGRESS;
		}
		memcpy(wanted[wanted_done++], data, len_bytes);
		return UCS_OK;
	}
	if (arrived_head - arrived_tail == ARRIVED_MAX)
		peer_die("ucx: more active messages than both windows");
	if (!arrival.rendezvous && !(param->recv_attr & UCP_AM_RECV_ATTR_FLAG_DATA)) {
		arrival.copied = true;
		arrival.data = malloc(len_bytes);
		if (!arrival.data)
			peer_die("ucx: no memory for a message");
		memcpy(arrival.data, data, len_bytes);
	}
	arrived[arrived_head++ % ARRIVED_MAX] = arrival;
	return arrival.copied ? UCS_OK : UCS_INPROGRESS;
}

static void take_arrived(void)
{
	while (arrived_tail != arrived_head && wanted_done < wanted_count) {
		struct arrival *arrival = &arrived[arrived_tail++ % ARRIVED_MAX];
		unsigned char *to = wanted[wanted_done++];

		if (arrival->rendezvous) {
			fetch(arrival->data, to);
			continue;
		}
		memcpy(to, arrival->data, wanted_len);
		if (arrival->copied)
			free(arrival->data);
		else
			ucp_am_data_release(worker, arrival->data);
	}
}

static void handler_set(void)
{
	ucp_am_handler_param_t handler = {
		.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB,
		.id = AM_ID,
		.cb = on_message,
	};

	check("handler", ucp_worker_set_am_recv_handler(worker, &handler));
}

static void ucx_open(struct peer_run *run, bool *is_sender)
{
	ucp_params_t params = {.field_mask = UCP_PARAM_FIELD_FEATURES,
			       .features = active ? UCP_FEATURE_AM : UCP_FEATURE_TAG};
	ucp_worker_params_t worker_params = {.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE,
					     .thread_mode = UCS_THREAD_MODE_SINGLE};

	(void)run;
	check("context", ucp_init(&params, NULL, &context));
	check("worker", ucp_worker_create(context, &worker_params, &worker));
	if (active)
		handler_set();
	ucx_connect(exchange[*is_sender]);
}

static void wait_for(void *request)
{
	ucs_status_t status;

	if (!request)
		return;
	if (UCS_PTR_IS_ERR(request))
		check("request", UCS_PTR_STATUS(request));
	while ((status = ucp_request_check_status(request)) == UCS_INPROGRESS)
		ucp_worker_progress(worker);
	check("completion", status);
	ucp_request_free(request);
}

static void ucx_send(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	static const ucp_request_param_t plain = {0};
	void *requests[PEER_WINDOW_MAX];

	for (unsigned int i = 0; i < count; i++)
		requests[i] = active ? ucp_am_send_nbx(endpoint, AM_ID, NULL, 0, buffers[i], len_bytes, &plain)
				     : ucp_tag_send_nbx(endpoint, buffers[i], len_bytes, TAG, &plain);
	for (unsigned int i = 0; i < count; i++)
		wait_for(requests[i]);
}

static void active_receive(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	wanted = buffers;
	wanted_count = count;
	wanted_len = len_bytes;
	wanted_done = fetch_count = 0;
	take_arrived();
	while (wanted_done < wanted_count)
		ucp_worker_progress(worker);
	for (unsigned int i = 0; i < fetch_count; i++)
		wait_for(fetches[i]);
	wanted_count = wanted_done = 0; /* what comes now waits */
}

static void ucx_receive(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	static const ucp_request_param_t plain = {0};
	void *requests[PEER_WINDOW_MAX];

	if (active) {
		active_receive(buffers, count, len_bytes);
		return;
	}
	for (unsigned int i = 0; i < count; i++)
		requests[i] = ucp_tag_recv_nbx(worker, buffers[i], len_bytes, TAG, UINT64_MAX, &plain);
	for (unsigned int i = 0; i < count; i++)
		wait_for(requests[i]);
}

static void ucx_close(void)
{
	static const ucp_request_param_t plain = {0};

	wait_for(ucp_worker_flush_nbx(worker, &plain));
	wait_for(ucp_ep_close_nbx(endpoint, &plain));
	ucp_worker_destroy(worker);
	ucp_cleanup(context);
}

int main(int argc, char **argv)
{
	static const struct peer_ops ops = {"ucx", false, ucx_prepare, ucx_open, ucx_send, ucx_receive, ucx_close};

	return peer_main(argc, argv, &ops);
}
