/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a test of `weft perf`: children that serve, and this one, which measures.
 */
#include "command.h"
#include "perf.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void perf_name(char out[64], const char *role)
{
	snprintf(out, 64, "perf-%d-%s", (int)getpid(), role);
}

/* The child's whole life. */
static _Noreturn void run_child(const struct perf_opts *opts, const char *name, const char *peer, int core,
				int (*serve)(struct perf_side *side))
{
	struct perf_side side;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rc = perf_side_open(&side, opts, name, peer, core);
	if (rc == 0)
		rc = perf_network_tell(&side);
	if (rc == 0)
		rc = serve(&side);
	if (rc < 0)
		_exit(command_fail());
	weft_node_run(side.node);
	perf_side_close(&side);
	_exit(0);
}

int perf_child_start(const struct perf_opts *opts, const char *name, const char *peer, int core,
		     int (*serve)(struct perf_side *side), pid_t *out)
{
	pid_t child = fork();

	if (child < 0)
		return weft_set_error(weft_error_from_errno(errno), "no further process: %s", strerror(errno));
	if (child == 0)
		run_child(opts, name, peer, core, serve);
	*out = child;
	return 0;
}

void perf_child_stop(pid_t child, int with_signal)
{
	if (child <= 0)
		return;
	kill(child, with_signal);
	waitpid(child, NULL, 0);
}

int perf_pair(const struct perf_opts *opts, int (*serve)(struct perf_side *side),
	      int (*measure)(struct perf_side *side, struct perf_result *result), struct perf_result *result)
{
	struct perf_opts server_opts = *opts, client_opts = *opts;
	char server[64], client[64];
	struct perf_side side = {0};
	struct perf_offer offer;
	cpu_set_t before;
	pid_t child = 0;
	int rc;

	perf_name(server, "server");
	perf_name(client, "client");
	rc = perf_network_offer(&server_opts, &offer);
	if (rc == 0)
		rc = perf_child_start(&server_opts, server, client, opts->core_server, serve, &child);
	if (rc < 0)
		return rc;
	sched_getaffinity(0, sizeof before, &before);
	rc = perf_network_take(&offer, server, &client_opts);
	if (rc == 0)
		rc = perf_side_open(&side, &client_opts, client, server, opts->core_client);
	side.peer_pid = child;
	if (rc == 0)
		rc = measure(&side, result);
	perf_child_stop(child, SIGTERM);
	perf_side_close(&side);
	sched_setaffinity(0, sizeof before, &before);
	return rc;
}
