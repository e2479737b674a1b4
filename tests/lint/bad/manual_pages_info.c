/* SPDX-License-Identifier: Apache-2.0 */
static const struct argp_option options[] = {
	{"json", 'j', NULL, 0, "print JSON", 0},
	{"unheard-of", 'u', NULL, 0, "stands in no page", 0},
	{0},
};
