/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UCX (UCP) by tagged messages, all of a window outstanding at once. Which transports it uses is for UCX_TLS to say.
 * Addresses are exchanged over a pair of sockets before the measurement.
 */
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <ucp/api/ucp.h>
#include <unistd.h>

#define TAG 7

static int exchange[2];
static ucp_context_h context;
static ucp_worker_h worker;
static ucp_ep_h endpoint;

static void check(const char *what, ucs_status_t status)
{
	if (status != UCS_OK)
		peer_die("ucx: %s: %s", what, ucs_status_string(status));
}

static void ucx_prepare(struct peer_run *run)
{
	(void)run;
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

static void ucx_open(struct peer_run *run, bool *is_sender)
{
	ucp_params_t params = {.field_mask = UCP_PARAM_FIELD_FEATURES, .features = UCP_FEATURE_TAG};
	ucp_worker_params_t worker_params = {.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE,
					     .thread_mode = UCS_THREAD_MODE_SINGLE};

	(void)run;
	check("context", ucp_init(&params, NULL, &context));
	check("worker", ucp_worker_create(context, &worker_params, &worker));
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
		requests[i] = ucp_tag_send_nbx(endpoint, buffers[i], len_bytes, TAG, &plain);
	for (unsigned int i = 0; i < count; i++)
		wait_for(requests[i]);
}

static void ucx_receive(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	static const ucp_request_param_t plain = {0};
	void *requests[PEER_WINDOW_MAX];

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
	static const struct peer_ops ops = {"ucx-tag", false, ucx_prepare, ucx_open, ucx_send, ucx_receive, ucx_close};

	return peer_main(argc, argv, &ops);
}
