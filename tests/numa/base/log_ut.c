/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that messages go to the sink and nowhere else, up to the level that was set, whole or cut; and that the ready sink
 * writes each as one line with its time.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <regex.h>
#include <string.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/log.h>

static struct {
	unsigned int lines;
	enum weft_log_level level;
	char component[32], line[2048];
} seen;

static void on_line(enum weft_log_level level, const char *component, const char *line, void *user)
{
	CU_ASSERT_PTR_EQUAL(user, &seen);
	seen.lines++;
	seen.level = level;
	strncpy(seen.component, component, sizeof seen.component - 1);
	strncpy(seen.line, line, sizeof seen.line - 1);
}

static void hear(enum weft_log_level max_level)
{
	memset(&seen, 0, sizeof seen);
	weft_log_set_sink(on_line, max_level, &seen);
}

static void without_a_sink_nothing_is_enabled(void)
{
	weft_log_set_sink(NULL, WEFT_LOG_DEBUG, NULL);
	CU_ASSERT_FALSE(weft_log_enabled(WEFT_LOG_ERROR));
	weft_log(WEFT_LOG_ERROR, "test", "into nothing");
}

static void messages_up_to_the_level_come_formatted(void)
{
	hear(WEFT_LOG_WARN);
	for (unsigned int level = WEFT_LOG_ERROR; level <= WEFT_LOG_DEBUG; level++) {
		CU_ASSERT_EQUAL(weft_log_enabled((enum weft_log_level)level), level <= WEFT_LOG_WARN);
		weft_log((enum weft_log_level)level, "test", "peer %s level %u", "far", level);
	}
	CU_ASSERT_EQUAL(seen.lines, 2);
	CU_ASSERT_EQUAL(seen.level, WEFT_LOG_WARN);
	CU_ASSERT_STRING_EQUAL(seen.component, "test");
	CU_ASSERT_STRING_EQUAL(seen.line, "peer far level 1");
	weft_log_set_sink(NULL, WEFT_LOG_ERROR, NULL);
	weft_log(WEFT_LOG_ERROR, "test", "too late");
	CU_ASSERT_EQUAL(seen.lines, 2);
}

static void a_message_that_is_too_long_is_cut(void)
{
	char text[3000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	hear(WEFT_LOG_DEBUG);
	weft_log(WEFT_LOG_DEBUG, "test", "%s", text);
	CU_ASSERT_EQUAL(strlen(seen.line), 1023);
	weft_log_set_sink(NULL, WEFT_LOG_ERROR, NULL);
}

static void levels_have_names_and_nothing_else_is_one(void)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	enum weft_log_level level = WEFT_LOG_DEBUG;

	for (unsigned int i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(weft_log_level_parse(names[i], &level), 0);
		CU_ASSERT_EQUAL((unsigned int)level, i);
	}
	CU_ASSERT_EQUAL(weft_log_level_parse("Warn", &level), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_log_level_parse("", &level), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(level, WEFT_LOG_DEBUG);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "error, warn, info, debug"));
}

/* What the ready sink writes for a line; returns its length. */
static size_t written(const char *line, char *out, size_t size_bytes)
{
	int ends[2], before = dup(STDERR_FILENO);
	ssize_t got;

	CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	dup2(ends[1], STDERR_FILENO);
	weft_log_to_stderr(WEFT_LOG_INFO, "test", line, NULL);
	dup2(before, STDERR_FILENO);
	got = read(ends[0], out, size_bytes - 1);
	CU_ASSERT_TRUE_FATAL(got > 0);
	out[got] = '\0';
	close(before);
	close(ends[0]);
	close(ends[1]);
	return (size_t)got;
}

static void the_ready_sink_writes_time_level_component_and_line(void)
{
	char text[256];
	regex_t form;

	written("peer far links 3", text, sizeof text);
	CU_ASSERT_EQUAL_FATAL(regcomp(&form,
				      "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z info test "
				      "peer far links 3\n$",
				      REG_EXTENDED | REG_NOSUB),
			      0);
	CU_ASSERT_EQUAL(regexec(&form, text, 0, NULL, 0), 0);
	regfree(&form);
}

static void the_ready_sink_cuts_what_is_too_long_and_ends_the_line(void)
{
	char line[5000], text[8000];
	size_t len;

	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	len = written(line, text, sizeof text);
	CU_ASSERT_TRUE(len > 1000 && len < sizeof line);
	CU_ASSERT_EQUAL(text[len - 1], '\n');
	CU_ASSERT_EQUAL(strspn(strchr(text, 'x'), "x"), (size_t)(text + len - 1 - strchr(text, 'x')));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(without_a_sink_nothing_is_enabled),
		SUITE_CASE(messages_up_to_the_level_come_formatted),
		SUITE_CASE(a_message_that_is_too_long_is_cut),
		SUITE_CASE(levels_have_names_and_nothing_else_is_one),
		SUITE_CASE(the_ready_sink_writes_time_level_component_and_line),
		SUITE_CASE(the_ready_sink_cuts_what_is_too_long_and_ends_the_line),
	};

	return suite_main("log", cases, SUITE_COUNT(cases), argc, argv);
}
