/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this process maps of its peers, counted: mappings and address space are the process's, and a peer can ask for a
 * mapping at the cost of a message. The same memory can be shared again under another number, so what it costs a peer
 * bounds nothing. One process may make us map twice what is free: it alone gets two thirds, many get less each, and some is
 * left for the next one. By all its paths to all our devices together, each of which has a runner of its own.
 */
#include "shm/process_lock.h"
#include "shm/shm.h"

#include <stdlib.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/log.h>

/* One process, as who.h counts it; there is one as long as something of it is mapped. */
struct mapper {
	struct weft_list link;
	int64_t who;
	struct shm_mapped mapped;
};

/* Under the process's lock. */
static struct weft_list mappers = {&mappers, &mappers};
static struct shm_mapped all;
static bool was_said;

/* What is not mapped there is not inherited either: a child begins with nothing. */
static void forget_parent(void)
{
	WEFT_LIST_FOR_EACH(at, &mappers) {
		weft_list_remove(at);
		free(WEFT_CONTAINER_OF(at, struct mapper, link));
	}
	all = (struct shm_mapped){0};
	was_said = false;
}

static void take_lock(void)
{
	static unsigned int forks_seen;

	if (shm_process_lock(&forks_seen))
		forget_parent();
}

static struct mapper *find(int64_t who)
{
	WEFT_LIST_FOR_EACH(at, &mappers) {
		struct mapper *mapper = WEFT_CONTAINER_OF(at, struct mapper, link);

		if (mapper->who == who)
			return mapper;
	}
	return NULL;
}

static struct mapper *make(int64_t who)
{
	struct mapper *mapper = calloc(1, sizeof *mapper);

	if (!mapper)
		return NULL;
	mapper->who = who;
	weft_list_push_back(&mappers, &mapper->link);
	return mapper;
}

/* Whether so many bytes more are within the share of one that has so much; our own process may have all. */
static bool has_share(int64_t who, const struct shm_mapped *has, uint64_t len_bytes)
{
	return who == getpid() || (has->count < 2 * (SHM_MAPPED_MAX - all.count) &&
				   has->bytes + len_bytes <= 2 * (SHM_MAPPED_MAX_BYTES - all.bytes));
}

/* 0, -WEFT_ENOMEM: all are too much, -WEFT_EQUOTA: this one is, -WEFT_EAGAIN: no memory to count it. */
static int book(int64_t who, uint64_t len_bytes)
{
	const struct shm_mapped nothing = {0};
	struct mapper *mapper = find(who);

	if (all.count >= SHM_MAPPED_MAX || len_bytes > SHM_MAPPED_MAX_BYTES - all.bytes)
		return -WEFT_ENOMEM;
	if (!has_share(who, mapper ? &mapper->mapped : &nothing, len_bytes))
		return -WEFT_EQUOTA;
	if (!mapper && !(mapper = make(who)))
		return -WEFT_EAGAIN;
	mapper->mapped.count++;
	mapper->mapped.bytes += len_bytes;
	all.count++;
	all.bytes += len_bytes;
	return 0;
}

/* Says once that others must wait until some are gone. */
static int refuse_all(const struct shm_mapped *now, bool say)
{
	if (say)
		weft_log(WEFT_LOG_WARN, "shm",
			 "segments of peers mapped %u bytes %llu action no more are mapped until links are closed: "
			 "have fewer peers, or peers with less memory",
			 now->count, (unsigned long long)now->bytes);
	return weft_set_error(
		WEFT_ENOMEM, "%u segments of peers or %llu bytes of them are mapped in this process: that is the limit",
		SHM_MAPPED_MAX, (unsigned long long)SHM_MAPPED_MAX_BYTES);
}

static int refuse_one(int64_t who)
{
	char text[SHM_WHO_TEXT];

	weft_log(WEFT_LOG_WARN, "shm", "%s has more segments mapped here than its share action closed",
		 shm_who_text(who, text));
	return weft_set_error(WEFT_EQUOTA, "a process has more of its segments mapped here than its share");
}

int shm_ledger_add(int64_t who, uint64_t len_bytes)
{
	struct shm_mapped now;
	bool say;
	int rc;

	take_lock();
	rc = book(who, len_bytes);
	now = all;
	say = rc == -WEFT_ENOMEM && !was_said;
	was_said |= say;
	shm_process_unlock();
	switch (rc) {
	case 0:
		return 0;
	case -WEFT_ENOMEM:
		return refuse_all(&now, say);
	case -WEFT_EQUOTA:
		return refuse_one(who);
	default:
		return weft_set_error(WEFT_ENOMEM, "no memory to count a peer's segment");
	}
}

void shm_ledger_take(int64_t who, uint64_t len_bytes)
{
	struct mapper *mapper;

	take_lock();
	mapper = find(who);
	if (!mapper) {
		shm_process_unlock(); /* a child forgets what its parent had mapped */
		return;
	}
	mapper->mapped.count--;
	mapper->mapped.bytes -= len_bytes;
	all.count--;
	all.bytes -= len_bytes;
	if (!mapper->mapped.count) {
		weft_list_remove(&mapper->link);
		free(mapper);
	}
	shm_process_unlock();
}
