/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assertions for programmer errors. WEFT_ASSERT stays on in release builds (cold paths); WEFT_DASSERT only exists
 * in debug builds (hot paths). Input from outside is never asserted, it is checked and refused.
 */
#ifndef WEFT_ASSERT_H
#define WEFT_ASSERT_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

/* Reports where and what on standard error and aborts. Thread: any. */
WEFT_API void weft_assert_failed(const char *expression, const char *file, int line, const char *function)
	__attribute__((noreturn, cold));

#define WEFT_ASSERT(expression) \
	(__builtin_expect(!!(expression), 1) ? (void)0 : weft_assert_failed(#expression, __FILE__, __LINE__, __func__))

#ifdef NDEBUG
#define WEFT_DASSERT(expression) ((void)sizeof(!!(expression)))
#else
#define WEFT_DASSERT(expression) WEFT_ASSERT(expression)
#endif

WEFT_END_DECLS

#endif
