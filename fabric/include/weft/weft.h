/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of the public API that applications need.
 */
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

#include <weft/channel.h>
#include <weft/clock.h>
#include <weft/errors.h>
#include <weft/log.h>
#include <weft/node.h>
#include <weft/receive.h>
#include <weft/request.h>
#include <weft/send.h>
#include <weft/version.h>
#include <weft/worker.h>

#endif
