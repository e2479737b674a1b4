/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Non-cryptographic hashes for tables and names.
 */
#ifndef WEFT_HASH_H
#define WEFT_HASH_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

/* FNV-1a, 64 bit (Fowler, Noll, Vo), over len_bytes of data; borrows. Stable across machines. Thread: any. */
WEFT_API uint64_t weft_hash_bytes(const void *data, size_t len_bytes);
/* The same over a string. Thread: any. */
WEFT_API uint64_t weft_hash_string(const char *text);
/* Spreads the bits of a number (the finaliser of splitmix64). Thread: any. */
WEFT_API uint64_t weft_hash_u64(uint64_t value);

WEFT_END_DECLS

#endif
