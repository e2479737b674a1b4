/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every fuzzer defines: one run over one input. Returns 0; a fault shows as a crash.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

#endif
