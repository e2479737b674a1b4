/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error names and texts from the one table, and the sentence of each thread's last failure.
 */
#include <weft/errors.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static _Thread_local char last_error[512];

struct error_row {
	int number;
	const char *name;
	const char *text;
};

static const struct error_row error_rows[] = {
#define ERROR_ROW(name, number, text) {number, "WEFT_" #name, text},
	WEFT_ERROR_TABLE(ERROR_ROW)
#undef ERROR_ROW
};

/* Of any number: it may have come from a peer. */
static const struct error_row *find_row(int code)
{
	for (size_t i = 0; i < sizeof error_rows / sizeof *error_rows; i++)
		if (error_rows[i].number == code || -error_rows[i].number == code)
			return &error_rows[i];
	return NULL;
}

const char *weft_error_name(int code)
{
	const struct error_row *row = find_row(code);

	return row ? row->name : "WEFT_E?";
}

const char *weft_error_text(int code)
{
	const struct error_row *row = find_row(code);

	return row ? row->text : "unknown error";
}

int weft_error_from_errno(int errno_value)
{
	if (errno_value == EWOULDBLOCK)
		errno_value = EAGAIN;
	return errno_value < 2000 && find_row(errno_value) ? errno_value : WEFT_EIO;
}

const char *weft_last_error(void)
{
	return last_error;
}

/* Whatever lacked a descriptor, the limit is what to raise. */
static void add_limit(void)
{
	size_t len = strlen(last_error);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && !strstr(last_error, "ulimit -n"))
		snprintf(last_error + len, sizeof last_error - len,
			 "; this process may have %llu descriptors open: raise ulimit -n",
			 (unsigned long long)limit.rlim_cur);
}

int weft_set_error(int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(last_error, sizeof last_error, format, args);
	va_end(args);
	if (code == WEFT_EMFILE || code == -WEFT_EMFILE)
		add_limit();
	return code < 0 ? code : -code;
}

int weft_fail(const char *prefix)
{
	fprintf(stderr, "%s: %s\n", prefix ? prefix : program_invocation_short_name,
		last_error[0] ? last_error : "failed");
	return 1;
}
