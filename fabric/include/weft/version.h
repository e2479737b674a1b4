/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which weft this is.
 */
#ifndef WEFT_VERSION_H
#define WEFT_VERSION_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0

/* Version of the library in use, "0.1.0"; may differ from the headers'. Gives a static string. Thread: any. */
WEFT_API const char *weft_version(void);

WEFT_END_DECLS

#endif
