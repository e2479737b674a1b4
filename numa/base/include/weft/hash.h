/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes for tables and names, and a keyed one for what strangers choose.
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

/*
 * SipHash-2-4 over len_bytes of data; borrows both. Who does not know the key can neither foresee nor steer a value, so
 * tables that strangers fill stay fast, and a cookie proves who made it. The words of the key are those of its 16 bytes
 * read as little-endian. Stable across machines. Thread: any.
 */
WEFT_API uint64_t weft_siphash(const uint64_t key[2], const void *data, size_t len_bytes);

WEFT_END_DECLS

#endif
