/* SPDX-License-Identifier: Apache-2.0 */
static void report(void)
{
	perf_figure(result, "furlongs_per_second", 1);
}
