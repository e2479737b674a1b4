/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every public header needs: linkage, visibility, and attributes that let the compiler check calls.
 */
#ifndef WEFT_API_H
#define WEFT_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define WEFT_BEGIN_DECLS extern "C" {
#define WEFT_END_DECLS }
#else
#define WEFT_BEGIN_DECLS
#define WEFT_END_DECLS
#endif

/* Exported from libweft.so; everything else is hidden. */
#define WEFT_API __attribute__((visibility("default")))
#define WEFT_MUST_CHECK __attribute__((warn_unused_result))
#define WEFT_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* Bytes that move between cores as one. */
#define WEFT_CACHE_LINE 64

#endif
