/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C (Castagnoli; RFC 3720, appendix B.4): tells data that was altered by accident. It proves nothing against
 * somebody who alters it on purpose. Uses the processor's instruction where there is one.
 */
#ifndef WEFT_CRC32C_H
#define WEFT_CRC32C_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

/*
 * The checksum of what crc is the checksum of, followed by len_bytes of data, which is borrowed. Begin with a crc of 0.
 * The same on every machine. Thread: any.
 */
WEFT_API uint32_t weft_crc32c(uint32_t crc, const void *data, size_t len_bytes);

WEFT_END_DECLS

#endif
