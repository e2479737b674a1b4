/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The progress line of commands that run long.
 */
#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <weft/clock.h>

#define SHOW_NS UINT64_C(100000000)
#define BAR 30

void progress_say(const char *format, ...)
{
	va_list args;

	if (!isatty(STDERR_FILENO))
		return;
	fputc('\r', stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\033[K", stderr);
	fflush(stderr);
}

void progress_clear(void)
{
	progress_say("%s", "");
}

void progress_start(struct progress *progress, const char *what, uint64_t total_bytes, int data_fd)
{
	progress_clear();
	progress->what = what;
	progress->start_ns = progress->shown_ns = weft_clock_now(weft_clock_real());
	progress->total_bytes = total_bytes;
	progress->terminal = isatty(STDERR_FILENO) && !isatty(data_fd);
}

static void print(const struct progress *progress, uint64_t done_bytes, uint64_t now_ns)
{
	double seconds = (double)(now_ns - progress->start_ns) / 1e9;
	double mebibytes = (double)done_bytes / (1 << 20);

	fprintf(stderr, "\r%s ", progress->what);
	if (progress->total_bytes) {
		unsigned int filled = (unsigned int)((double)done_bytes / (double)progress->total_bytes * BAR);

		fputc('[', stderr);
		for (unsigned int i = 0; i < BAR; i++)
			fputc(i < filled ? '#' : '-', stderr);
		fputs("] ", stderr);
	}
	fprintf(stderr, "%.1f MiB, %.1f MiB/s\033[K", mebibytes, seconds > 0 ? mebibytes / seconds : 0);
	fflush(stderr);
}

void progress_show(struct progress *progress, uint64_t done_bytes)
{
	uint64_t now_ns;

	if (!progress->terminal)
		return;
	now_ns = weft_clock_now(weft_clock_real());
	if (now_ns - progress->shown_ns < SHOW_NS)
		return;
	progress->shown_ns = now_ns;
	print(progress, done_bytes, now_ns);
}

void progress_end(struct progress *progress, uint64_t done_bytes)
{
	if (!progress->terminal)
		return;
	print(progress, done_bytes, weft_clock_now(weft_clock_real()));
	fputc('\n', stderr);
}
