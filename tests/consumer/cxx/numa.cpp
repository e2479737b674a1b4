/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public headers of numa, numa/base and drivers.
 */
#include "every_function.h"

#include <csignal>
#include <cstring>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/arena.h>
#include <weft/assert.h>
#include <weft/crc32c.h>
#include <weft/driver.h>
#include <weft/errors.h>
#include <weft/hash.h>
#include <weft/histogram.h>
#include <weft/list.h>
#include <weft/log.h>
#include <weft/nearest.h>
#include <weft/plan.h>
#include <weft/pool.h>
#include <weft/random.h>
#include <weft/ring.h>
#include <weft/segment.h>
#include <weft/topology.h>
#include <weft/worker.h>

/* ---- base ---- */

static void on_line(enum weft_log_level level, const char *component, const char *line, void *user)
{
	if (level == WEFT_LOG_WARN && std::strcmp(component, "test") == 0 && std::strcmp(line, "value 7") == 0)
		++*static_cast<int *>(user);
}

static void call_log()
{
	enum weft_log_level level;
	int lines = 0;

	REQUIRE(weft_log_level_parse("warn", &level) == 0 && level == WEFT_LOG_WARN);
	weft_log_set_sink(on_line, level, &lines);
	REQUIRE(weft_log_enabled(WEFT_LOG_WARN) && !weft_log_enabled(WEFT_LOG_DEBUG));
	weft_log(WEFT_LOG_WARN, "test", "value %d", 7);
	weft_log(WEFT_LOG_DEBUG, "test", "value %d", 7);
	REQUIRE(lines == 1);
	weft_log_set_sink(weft_log_to_stderr, WEFT_LOG_ERROR, nullptr);
	weft_log_to_stderr(WEFT_LOG_INFO, "test", "a line of the ready sink", nullptr);
	weft_log_set_sink(nullptr, WEFT_LOG_ERROR, nullptr);
}

static void call_list()
{
	struct entry {
		int number;
		struct weft_list link;
	} one = {1, {}}, two = {2, {}};
	struct weft_list head;
	int sum = 0;

	weft_list_init(&head);
	weft_list_push_back(&head, &two.link);
	weft_list_push_front(&head, &one.link);
	WEFT_LIST_FOR_EACH(at, &head)
		sum = sum * 10 + WEFT_CONTAINER_OF(at, struct entry, link)->number;
	REQUIRE(sum == 12 && weft_list_pop_front(&head) == &one.link);
	weft_list_remove(&two.link);
	REQUIRE(weft_list_empty(&head));
}

/* In a child, since it ends the process. */
static void call_assertions()
{
	int status = 0;
	pid_t child = fork();

	REQUIRE(child >= 0);
	if (child == 0) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		WEFT_DASSERT(true);
		WEFT_ASSERT(child != 0);
	}
	REQUIRE(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void call_clocks()
{
	struct weft_clock *clock = weft_clock_real(), *made = nullptr;
	struct weft_clock_info info;

	REQUIRE(weft_clock_now(clock) > 0 && !weft_clock_is_virtual(clock));
	REQUIRE(weft_clock_ticks_to_ns(weft_clock_ticks()) > 0);
	weft_clock_describe(&info);
	REQUIRE(info.source[0]);
	REQUIRE(weft_clock_virtual_open(5, &made) == 0);
	weft_clock_virtual_set(made, 9);
	REQUIRE(weft_clock_now(made) == 9 && weft_clock_now(made) != WEFT_NEVER);
	weft_clock_virtual_close(&made);
}

void call_base()
{
	const uint64_t key[2] = {1, 2};
	static const char *const words[] = {"one", "two"};
	struct weft_random random;
	uint64_t entropy = 0;

	REQUIRE(std::strcmp(weft_error_name(-WEFT_EAGAIN), "WEFT_EAGAIN") == 0 && weft_error_text(WEFT_EAGAIN)[0]);
	REQUIRE(weft_error_from_errno(WEFT_ENOMEM) == WEFT_ENOMEM);
	REQUIRE(weft_set_error(WEFT_EINVAL, "a sentence with %d", 3) == -WEFT_EINVAL);
	REQUIRE(std::strcmp(weft_last_error(), "a sentence with 3") == 0 && weft_fail("expected") == 1);
	REQUIRE(weft_hash_bytes("weft", 4) == weft_hash_string("weft") && weft_hash_u64(1) != weft_hash_u64(2));
	REQUIRE(weft_siphash(key, "weft", 4) != weft_siphash(key, "left", 4));
	REQUIRE(weft_crc32c(0, "123456789", 9) == 0xe3069283u);
	REQUIRE(std::strcmp(weft_nearest("onee", words, 2), "one") == 0);
	weft_random_seed(&random, 1);
	REQUIRE(weft_random_next(&random) != weft_random_next(&random));
	REQUIRE(weft_random_below(&random, 3) < 3 && weft_random_unit(&random) < 1);
	REQUIRE(weft_random_system(&entropy) == 0);
	call_log();
	call_list();
	call_assertions();
	call_clocks();
}

/* ---- topology and plan ---- */

static void call_cpusets()
{
	struct weft_cpuset a, b, c;
	char text[32];

	weft_cpuset_zero(&a);
	weft_cpuset_add(&a, 3);
	weft_cpuset_add(&a, 4);
	weft_cpuset_remove(&a, 3);
	REQUIRE(weft_cpuset_has(&a, 4) && weft_cpuset_count(&a) == 1 && weft_cpuset_next(&a, 0) == 4);
	REQUIRE(weft_cpuset_parse("4-5", &b) == 0 && !weft_cpuset_is_empty(&b));
	weft_cpuset_and(&c, &a, &b);
	REQUIRE(weft_cpuset_equal(&c, &a));
	weft_cpuset_or(&c, &a, &b);
	REQUIRE(weft_cpuset_equal(&c, &b));
	weft_cpuset_andnot(&c, &b, &a);
	REQUIRE(std::strcmp(weft_cpuset_format(&c, text, sizeof text), "5") == 0);
}

static void call_plan(const struct weft_topology *topology)
{
	struct weft_cpu_limits limits;
	struct weft_cgroup cgroup;
	struct weft_plan_opts opts;
	struct weft_plan *plan = nullptr;

	weft_cgroup_read(nullptr, &cgroup);
	weft_cpu_limits_read("", &limits);
	weft_cpu_limits_none(&limits);
	weft_plan_opts_init(&opts, sizeof opts);
	opts.workers = 20;
	REQUIRE(weft_plan_open(topology, &limits, &opts, &plan) == 0);
	REQUIRE(weft_plan_count(plan) == 21 && weft_plan_at(plan, 0) && weft_plan_find(plan, WEFT_ROLE_WORKER, 19));
	REQUIRE(weft_plan_reason_at(plan, 0) && weft_plan_code_name(weft_plan_reason_at(plan, 0)->code)[0]);
	REQUIRE(std::strcmp(weft_role_name(WEFT_ROLE_CONTROL), "control") == 0);
	REQUIRE(weft_plan_bind(topology, weft_plan_at(plan, 0)) == -WEFT_ENOTSUP);
	weft_plan_close(&plan);
}

void call_topology()
{
	struct weft_topology_summary summary;
	struct weft_topology_opts opts;
	struct weft_topology_device device;
	struct weft_topology_cache cache;
	struct weft_topology_core core;
	struct weft_topology_numa numa;
	struct weft_topology_cpu cpu;
	struct weft_topology *topology = nullptr;
	struct weft_cpuset cpus;

	call_cpusets();
	weft_topology_opts_init(&opts, sizeof opts);
	opts.synthetic = "package:2 l3:1 core:4 pu:2";
	REQUIRE(weft_topology_open(&opts, &topology) == 0);
	weft_topology_describe(topology, &summary);
	REQUIRE(summary.cpus == 16);
	REQUIRE(weft_topology_cpu_at(topology, 0, &cpu) && weft_topology_core_at(topology, 0, &core) &&
		weft_topology_numa_at(topology, 0, &numa) && weft_topology_cache_at(topology, 0, &cache) &&
		!weft_topology_device_at(topology, 0, &device));
	REQUIRE(weft_topology_find_cpu(topology, 15, &cpu) && weft_topology_find_device(topology, "eth0", &device) == -WEFT_ENODEV);
	REQUIRE(weft_topology_distance(topology, 0, 0) == 10);
	weft_topology_cpus(topology, &cpus);
	REQUIRE(weft_topology_bind(topology, &cpus) == -WEFT_ENOTSUP);
	REQUIRE(weft_topology_parse_cpus(topology, "package:1.core:0", &cpus) == 0 && weft_cpuset_count(&cpus) == 2);
	REQUIRE(weft_topology_numa_here() >= -1 && weft_device_kind_name(WEFT_DEVICE_RDMA)[0]);
	call_plan(topology);
	weft_topology_close(&topology);
}

/* ---- memory ---- */

static void call_segments()
{
	struct weft_segment_opts opts;
	struct weft_segment segment;
	struct weft_mapping mapping;

	weft_segment_opts_init(&opts, sizeof opts);
	opts.len_bytes = 4096;
	opts.pages = WEFT_PAGES_SMALL;
	opts.incarnation = 5;
	opts.segment_id = 6;
	REQUIRE(weft_segment_open(&opts, &segment) == 0 && weft_pages_name(segment.pages)[0]);
	REQUIRE(weft_mapping_open(segment.fd, 5, 6, 4096, &mapping) == 0 && mapping.len_bytes == 4096);
	weft_mapping_close(&mapping);
	weft_segment_close(&segment);
}

static struct weft_arena *open_arena()
{
	struct weft_arena *arena = nullptr;
	struct weft_arena_opts opts;

	weft_arena_opts_init(&opts, sizeof opts);
	opts.pages = WEFT_PAGES_SMALL;
	opts.data_segment_bytes = 2 << 20;
	opts.incarnation = 7;
	REQUIRE(weft_arena_open(&opts, &arena) == 0);
	return arena;
}

static void call_pool(const struct weft_segment *segment)
{
	struct weft_pool *pool = nullptr;
	struct weft_pool_stats stats;
	struct weft_pool_opts opts;
	struct weft_buf *buf = nullptr;

	weft_pool_opts_init(&opts, sizeof opts);
	REQUIRE(weft_pool_open(&opts, &pool) == 0 && weft_pool_get(pool, 100, &buf) == -WEFT_EAGAIN && weft_pool_wants(pool));
	REQUIRE(weft_pool_adopt(pool, segment) == 0 && !weft_pool_is_low(pool) && weft_pool_get(pool, 100, &buf) == 0);
	weft_buf_ref(buf);
	weft_buf_put(buf);
	REQUIRE(weft_buf_put_remote(buf) && weft_pool_drain(pool, 8) == 1);
	weft_pool_describe(pool, &stats);
	REQUIRE(stats.out_count == 0 && weft_pool_out_count(pool) == 0 && stats.remote_puts == 1);
	weft_pool_close(&pool);
}

void call_memory()
{
	const struct weft_segment *segment = nullptr, *near = nullptr;
	struct weft_arena *arena = open_arena();
	struct weft_arena_stats stats;
	struct weft_carving carving;

	call_segments();
	REQUIRE(weft_arena_grow(arena, 0, &segment) == 0 && weft_arena_grow_near(arena, 0, -1, &near) == 0);
	REQUIRE(weft_arena_segment(arena, segment->segment_id) == segment);
	call_pool(segment);
	REQUIRE(weft_arena_carve(arena, 100, &carving) == 0 && carving.len_bytes == 128);
	weft_arena_uncarve(arena, &carving);
	weft_arena_describe(arena, &stats);
	REQUIRE(stats.segment_count == 3);
	weft_arena_close(&arena);
}

/* ---- rings and statistics ---- */

static void on_bucket(uint64_t low, uint64_t high, uint64_t count, void *user)
{
	*static_cast<uint64_t *>(user) += low <= high ? count : 0;
}

void call_rings_and_statistics()
{
	struct weft_histogram *a = nullptr, *b = nullptr;
	struct weft_spsc *spsc = nullptr;
	struct weft_mpsc *mpsc = nullptr;
	uint64_t one = 1, out = 0, sum = 0;

	REQUIRE(weft_spsc_open(4, sizeof one, &spsc) == 0 && weft_spsc_push(spsc, &one, 1) == 1 && weft_spsc_has(spsc));
	REQUIRE(weft_spsc_pop(spsc, &out, 1) == 1 && out == 1);
	weft_spsc_close(&spsc);
	REQUIRE(weft_mpsc_open(4, sizeof one, &mpsc) == 0 && weft_mpsc_push(mpsc, &one) && weft_mpsc_has(mpsc));
	REQUIRE(weft_mpsc_pop(mpsc, &out) && !weft_mpsc_has(mpsc));
	weft_mpsc_close(&mpsc);
	REQUIRE(weft_histogram_open(&a) == 0 && weft_histogram_open(&b) == 0);
	weft_histogram_record(a, 5);
	weft_histogram_record_many(b, 7, 3);
	weft_histogram_merge(a, b);
	REQUIRE(weft_histogram_count(a) == 4 && weft_histogram_min(a) == 5 && weft_histogram_max(a) == 7);
	REQUIRE(weft_histogram_percentile(a, 50) == 7 && weft_histogram_mean(a) == 6.5);
	weft_histogram_each(a, on_bucket, &sum);
	weft_histogram_reset(b);
	REQUIRE(sum == 4 && weft_histogram_count(b) == 0);
	weft_histogram_close(&a);
	weft_histogram_close(&b);
}

/* ---- workers ---- */

static int polls, fires, posts, ready;

static unsigned int on_poll(void *user)
{
	(void)user;
	polls++;
	return 0;
}

static void on_fire(struct weft_timer *timer, void *user)
{
	(void)timer, (void)user;
	fires++;
}

static void on_post(struct weft_worker *worker, const struct weft_message *message)
{
	(void)worker;
	posts += static_cast<int>(message->with.numbers[0]);
}

static void on_ready(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	(void)watch, (void)user;
	ready += (events & EPOLLIN) != 0;
}

static void call_registrations(struct weft_worker *worker)
{
	struct weft_fd_watch watch = {eventfd(1, EFD_CLOEXEC), EPOLLOUT, on_ready, nullptr, false, {}};
	struct weft_poller poller = {on_poll, nullptr, nullptr, nullptr, {}};
	struct weft_message message = {};
	struct weft_timer timer;

	weft_worker_add_poller(worker, &poller);
	weft_timer_init(&timer, on_fire, nullptr);
	weft_timer_set(worker, &timer, WEFT_NEVER);
	weft_timer_cancel(worker, &timer);
	weft_timer_set(worker, &timer, 0);
	REQUIRE(weft_timer_is_set(&timer));
	REQUIRE(weft_worker_add_fd(worker, &watch) == 0 && weft_worker_change_fd(worker, &watch, EPOLLIN) == 0);
	message.run = on_post;
	message.with.numbers[0] = 1;
	REQUIRE(weft_worker_post(worker, &message) == 0);
	while (!(polls && fires && posts && ready))
		weft_worker_poll(worker);
	weft_worker_remove_fd(worker, &watch);
	weft_worker_remove_poller(worker, &poller);
	close(watch.fd);
}

void call_workers()
{
	struct weft_worker *worker = nullptr;
	struct weft_worker_opts opts;
	struct weft_worker_stats stats;

	weft_worker_opts_init(&opts, sizeof opts);
	opts.name = "every";
	opts.user = &opts;
	REQUIRE(weft_worker_open(&opts, &worker) == 0);
	weft_worker_take(worker);
	weft_worker_assert_owner(worker, "worker");
	REQUIRE(weft_worker_is_owner(worker) && !weft_worker_forked(worker));
	REQUIRE(std::strcmp(weft_worker_name(worker), "every") == 0 && weft_worker_user(worker) == &opts);
	REQUIRE(weft_worker_clock(worker) == weft_clock_real() && weft_worker_fd(worker) >= 0);
	call_registrations(worker);
	weft_worker_turn(worker, weft_worker_now(worker));
	if (weft_worker_arm(worker))
		REQUIRE(weft_worker_next_ns(worker) > weft_worker_now(worker));
	weft_worker_disarm(worker);
	weft_worker_stop(worker);
	weft_worker_run(worker);
	weft_worker_describe(worker, &stats);
	REQUIRE(stats.turns > 0);
	weft_worker_close(&worker);
}

/* ---- drivers ---- */

static const struct weft_driver nothing = {sizeof nothing, "nothing",	    0,	     nullptr, nullptr, nullptr, nullptr,
					   nullptr,	   nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
WEFT_DRIVER_MODULE(nothing);

void call_drivers()
{
	const struct weft_driver *shm = weft_driver_find("shm");
	struct weft_arena *arena = open_arena();
	struct weft_worker *worker = nullptr;
	struct weft_device *device = nullptr;
	struct weft_device_opts device_opts;
	struct weft_pool *pool = nullptr;
	struct weft_port *port = nullptr;
	struct weft_port_opts port_opts;
	struct weft_worker_opts worker_opts;
	struct weft_pool_opts pool_opts;
	struct weft_device_events events = {};
	char address[WEFT_DEVICE_ADDRESS_MAX];

	REQUIRE(shm && weft_driver_at(0) && weft_driver_module.driver == &nothing);
	weft_worker_opts_init(&worker_opts, sizeof worker_opts);
	weft_pool_opts_init(&pool_opts, sizeof pool_opts);
	REQUIRE(weft_worker_open(&worker_opts, &worker) == 0 && weft_pool_open(&pool_opts, &pool) == 0);
	weft_device_opts_init(&device_opts, sizeof device_opts);
	device_opts.runner = worker;
	device_opts.arena = arena;
	device_opts.incarnation = 7;
	device_opts.events = &events;
	REQUIRE(weft_device_open(shm, &device_opts, &device) == 0);
	weft_device_address(shm, device, address);
	REQUIRE(!*address);
	weft_port_opts_init(&port_opts, sizeof port_opts);
	port_opts.worker = worker;
	port_opts.pool = pool;
	REQUIRE(weft_port_open(shm, device, &port_opts, &port) == 0 && port->inline_max > 0);
	shm->port_close(&port);
	shm->device_close(&device);
	weft_pool_close(&pool);
	weft_worker_close(&worker);
	weft_arena_close(&arena);
}
