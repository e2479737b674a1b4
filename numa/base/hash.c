/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes for tables and names.
 */
#include <weft/hash.h>

#include <string.h>

uint64_t weft_hash_bytes(const void *data, size_t len_bytes)
{
	const unsigned char *bytes = data;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len_bytes; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t weft_hash_string(const char *text)
{
	return weft_hash_bytes(text, strlen(text));
}

uint64_t weft_hash_u64(uint64_t value)
{
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}
