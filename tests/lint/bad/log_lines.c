/* SPDX-License-Identifier: Apache-2.0 */
static void complain(void)
{
	weft_log(WEFT_LOG_WARN, "shm", "nobody explains this %d", 1);
}
