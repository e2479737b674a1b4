/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules that do not fit, by what they were compiled with: ODD_NAME, ODD_ABI, ODD_SIZE, or none of these.
 */
#include <weft/driver.h>

#ifdef ODD_NAME
static const struct weft_driver driver = {.size = ODD_SIZE, .name = ODD_NAME};

extern WEFT_API const struct weft_driver_module weft_driver_module;
const struct weft_driver_module weft_driver_module = {.abi = ODD_ABI, .driver = &driver};
#else
extern WEFT_API const int not_a_driver;
const int not_a_driver = 1;
#endif
