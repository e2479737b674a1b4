/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules of drivers of datagrams that do not fit, by what they were compiled with: ODD_NAME, ODD_ABI, ODD_SIZE.
 */
#include <weft/net.h>

static const struct weft_net_driver driver = {.size = ODD_SIZE, .name = ODD_NAME};

extern WEFT_API const struct weft_net_driver_module weft_net_driver_module;
const struct weft_net_driver_module weft_net_driver_module = {.abi = ODD_ABI, .driver = &driver};
