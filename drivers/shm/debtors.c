/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one process has borrowed by all its paths to a port. Each path has a quota; but a process may have many, and what it
 * held by one that it has broken stays with it, while it comes again. So it has limits as well: twice those of a path.
 */
#include "shm/shm.h"

#include <stdlib.h>
#include <unistd.h>
#include <weft/errors.h>

/* All paths of one process to one port; the worker's. */
struct shm_debtor {
	struct weft_list link; /* of the port */
	int64_t who;
	unsigned int path_count;
	uint32_t lent_count;
	uint64_t lent_bytes;
};

static struct shm_debtor *find(struct shm_port *port, int64_t who)
{
	struct shm_debtor *debtor;

	WEFT_LIST_FOR_EACH(at, &port->debtors) {
		debtor = WEFT_CONTAINER_OF(at, struct shm_debtor, link);
		if (debtor->who == who)
			return debtor;
	}
	debtor = calloc(1, sizeof *debtor);
	if (!debtor)
		return NULL;
	debtor->who = who;
	weft_list_push_back(&port->debtors, &debtor->link);
	return debtor;
}

int shm_debtor_join(struct shm_path *path)
{
	if (!path->who || path->who == getpid()) /* nobody can say who it is, or it is us */
		return 0;
	path->debtor = find(path->port, path->who);
	if (!path->debtor)
		return -WEFT_ENOMEM;
	path->debtor->path_count++;
	return 0;
}

void shm_debtor_leave(struct shm_path *path)
{
	struct shm_debtor *debtor = path->debtor;

	path->debtor = NULL;
	if (!debtor || --debtor->path_count)
		return;
	weft_list_remove(&debtor->link);
	free(debtor);
}

bool shm_debtor_may_have(const struct shm_path *path, uint64_t len_bytes)
{
	const struct shm_debtor *debtor = path->debtor;
	uint64_t quota_bytes = path->port->loan_quota_bytes;

	return !debtor || !debtor->lent_count ||
	       (debtor->lent_count < 2 * SHM_LOANS &&
		(!quota_bytes || debtor->lent_bytes + len_bytes <= 2 * quota_bytes));
}

void shm_debtor_count(struct shm_path *path, int count, uint64_t len_bytes)
{
	if (!path->debtor)
		return;
	path->debtor->lent_count += (uint32_t)count;
	path->debtor->lent_bytes += count > 0 ? len_bytes : -len_bytes;
}
