/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error codes, and the sentence that goes with the last failure.
 *
 * A function that can fail returns int: 0, or a negative -WEFT_E... code. Counts and sizes come back through
 * pointers; functions that return a count (bursts, polls) return it unsigned and cannot fail. Codes up to 1999
 * equal Linux errno values, weft's own start at 2000. Out parameters are written only on success.
 */
#ifndef WEFT_ERRORS_H
#define WEFT_ERRORS_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

/* One table makes the enum, the names, the texts and their test. X(name, number, text) */
#define WEFT_ERROR_TABLE(X)                                                             \
	X(EPERM, 1, "operation not permitted")                                          \
	X(ENOENT, 2, "no such thing")                                                   \
	X(EINTR, 4, "interrupted")                                                      \
	X(EIO, 5, "input/output error")                                                 \
	X(ENXIO, 6, "no such device or address")                                        \
	X(EBADF, 9, "bad descriptor")                                                   \
	X(EAGAIN, 11, "try again later")                                                \
	X(ENOMEM, 12, "out of memory")                                                  \
	X(EACCES, 13, "permission denied")                                              \
	X(EFAULT, 14, "bad address")                                                    \
	X(EBUSY, 16, "in use")                                                          \
	X(EEXIST, 17, "exists already")                                                 \
	X(ENODEV, 19, "no such driver or device")                                       \
	X(EINVAL, 22, "invalid argument")                                               \
	X(EMFILE, 24, "too many open descriptors")                                      \
	X(ENOSPC, 28, "no space left")                                                  \
	X(EPIPE, 32, "the other side is gone")                                          \
	X(ERANGE, 34, "out of range")                                                   \
	X(ENOSYS, 38, "not provided by this system")                                    \
	X(EPROTO, 71, "the peer broke the protocol")                                    \
	X(EMSGSIZE, 90, "message too long")                                             \
	X(ENOTSUP, 95, "not supported")                                                 \
	X(EADDRINUSE, 98, "name or address in use")                                     \
	X(ETIMEDOUT, 110, "deadline passed")                                            \
	X(ECONNREFUSED, 111, "nobody listens there")                                    \
	X(ECANCELED, 125, "cancelled")                                                  \
	X(EPEERRESET, 2000, "the peer is another incarnation or gone; outcome unknown") \
	X(EFORK, 2001, "this handle belongs to the parent process of a fork")           \
	X(EVERSION, 2002, "versions do not fit together")                               \
	X(EQUOTA, 2003, "quota used up")                                                \
	X(EDEGRADED, 2004, "a required capability could not be had")                    \
	X(ETRUNCATED, 2005, "the message was longer than the buffer")                   \
	X(EUNREACHABLE, 2006, "no path to the peer")                                    \
	X(ECLOSED, 2007, "closed")                                                      \
	X(ENOCHANNEL, 2008, "the peer has no such channel")

enum weft_error {
#define WEFT_ERROR_ENUM(name, number, text) WEFT_##name = (number),
	WEFT_ERROR_TABLE(WEFT_ERROR_ENUM)
#undef WEFT_ERROR_ENUM
};

/*
 * Name ("WEFT_EAGAIN") and short text of a code, given positive or negative. Unknown codes give "WEFT_E?" and
 * "unknown error". Gives static strings. Thread: any.
 */
WEFT_API const char *weft_error_name(int code);
WEFT_API const char *weft_error_text(int code);

/* The WEFT_E... code (positive) for an errno value; those without one become WEFT_EIO. Thread: any. */
WEFT_API int weft_error_from_errno(int errno_value);

/*
 * The sentence of this thread's last failed weft call: what failed, on what, and what to do about it. Empty if
 * none failed. Borrowed until the next weft call of this thread. Thread: any.
 */
WEFT_API const char *weft_last_error(void);

/*
 * Sets the sentence and returns -code, so that a detector writes: return weft_set_error(WEFT_EINVAL, "...", ...).
 * Copies the text (at most 511 bytes); to that of WEFT_EMFILE it adds the limit of descriptors, and to raise it. Cold paths only: it formats. Thread: any.
 */
WEFT_API int weft_set_error(int code, const char *format, ...) WEFT_PRINTF(2, 3);

/*
 * Prints "PREFIX: sentence" of the last error to standard error; PREFIX is the program's name when NULL. Returns 1,
 * so that main can `return weft_fail(NULL)`. The only function that prints. Thread: any.
 */
WEFT_API int weft_fail(const char *prefix);

WEFT_END_DECLS

#endif
