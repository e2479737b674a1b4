/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways to compute a CRC-32C, which give the same. They take and give the state of the division, which is the
 * checksum with all bits inverted.
 */
#ifndef CRC32C_PRIVATE_H
#define CRC32C_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* By tables: anywhere. */
uint32_t weft__crc32c_tables(uint32_t state, const void *data, size_t len_bytes);
/* By an instruction, if this processor has it. */
uint32_t weft__crc32c_hardware(uint32_t state, const void *data, size_t len_bytes);
bool weft__crc32c_has_hardware(void);

#endif
