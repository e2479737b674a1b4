/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C by the instructions of x86-64 (SSE4.2) and of 64-bit ARM, found at run time: the rest of the library runs on
 * processors without them.
 */
#include "crc32c_private.h"

#include <string.h>

static inline uint64_t word_at(const unsigned char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof word);
	return word;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>

bool weft__crc32c_has_hardware(void)
{
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

#define WITH_INSTRUCTIONS __attribute__((target("sse4.2,pclmul")))

/*
 * The instruction takes three cycles, and one can start in each. So three lanes of adjacent data go side by side and are
 * then joined: the first is multiplied by x^(16 * lane_bytes), as if zeros had followed it, the second by
 * x^(8 * lane_bytes). far and near are these powers, divided by the x^33 that the product of two reflected numbers and
 * the instruction add.
 */
static const struct lanes {
	size_t lane_bytes;
	int far, near;
} lanes[] = {
	{1024, (int)0xa51b6135, 0x170076fa},
	{128, (int)0xb9e02b86, 0x0d3b6092},
};

WITH_INSTRUCTIONS static uint64_t times(uint64_t state, int power)
{
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)state), _mm_cvtsi32_si128(power), 0);

	return (uint64_t)_mm_cvtsi128_si64(product);
}

WITH_INSTRUCTIONS static uint64_t three_lanes(uint64_t state, const unsigned char *bytes, const struct lanes *of)
{
	uint64_t second = 0, third = 0;

	for (const unsigned char *end = bytes + of->lane_bytes; bytes < end; bytes += 8) {
		state = _mm_crc32_u64(state, word_at(bytes));
		second = _mm_crc32_u64(second, word_at(bytes + of->lane_bytes));
		third = _mm_crc32_u64(third, word_at(bytes + 2 * of->lane_bytes));
	}
	return third ^ _mm_crc32_u64(0, times(state, of->far) ^ times(second, of->near));
}

WITH_INSTRUCTIONS uint32_t weft__crc32c_hardware(uint32_t state, const void *data, size_t len_bytes)
{
	const unsigned char *bytes = data;
	uint64_t wide = state;

	for (unsigned int i = 0; i < sizeof lanes / sizeof *lanes; i++) {
		size_t step_bytes = 3 * lanes[i].lane_bytes;

		for (; len_bytes >= step_bytes; bytes += step_bytes, len_bytes -= step_bytes)
			wide = three_lanes(wide, bytes, &lanes[i]);
	}
	for (; len_bytes >= 8; bytes += 8, len_bytes -= 8)
		wide = _mm_crc32_u64(wide, word_at(bytes));
	state = (uint32_t)wide;
	for (; len_bytes; bytes++, len_bytes--)
		state = _mm_crc32_u8(state, *bytes);
	return state;
}

#elif defined(__aarch64__) && defined(__linux__)
#include <endian.h>
#include <sys/auxv.h>

#define HWCAP_OF_CRC32 (1ul << 7) /* HWCAP_CRC32 of <asm/hwcap.h> */

bool weft__crc32c_has_hardware(void)
{
	return getauxval(AT_HWCAP) & HWCAP_OF_CRC32;
}

/* Written out, since the intrinsics need the whole file compiled for such processors. */
uint32_t weft__crc32c_hardware(uint32_t state, const void *data, size_t len_bytes)
{
	const unsigned char *bytes = data;

	for (; len_bytes >= 8; bytes += 8, len_bytes -= 8)
		__asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(state) : "r"(le64toh(word_at(bytes))));
	for (; len_bytes; bytes++, len_bytes--)
		__asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(state) : "r"((uint32_t)*bytes));
	return state;
}

#else

bool weft__crc32c_has_hardware(void)
{
	return false;
}

uint32_t weft__crc32c_hardware(uint32_t state, const void *data, size_t len_bytes)
{
	return weft__crc32c_tables(state, data, len_bytes);
}
#endif
