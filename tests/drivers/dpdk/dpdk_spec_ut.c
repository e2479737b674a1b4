/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves which device a net gets by WEFT_DPDK_DEVICE, and where it reaches from there.
 */
#include "dpdk/spec.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>
#include <weft/errors.h>

static const struct frame_host own = {4, {10, 9, 0, 1}}, own6 = {6, {0xfd, 0, 0, 9, [15] = 1}};

static const char *device_of(const char *text, const struct frame_host *host)
{
	static struct dpdk_spec spec;

	return weft__dpdk_spec_read(text, host, &spec) == 0 ? spec.device : weft_last_error();
}

static void a_device_is_what_dpdk_calls_it(void)
{
	static const char *const texts[] = {"0000:3b:00.0", "net_memif0,role=client,id=0,socket=/run/x.sock",
					    "net_ring0"};

	for (unsigned int i = 0; i < sizeof texts / sizeof *texts; i++) {
		CU_ASSERT_STRING_EQUAL(device_of(texts[i], &own), texts[i]);
		CU_ASSERT_STRING_EQUAL(device_of(texts[i], &own6), texts[i]);
	}
}

static void each_address_gets_its_own(void)
{
	const char *text = "10.9.0.2=net_b,x=1;10.9.0.1/24=net_a,y=2;[fd00:9::1]=net_6;net_any";

	CU_ASSERT_STRING_EQUAL(device_of(text, &own), "net_a,y=2");
	CU_ASSERT_STRING_EQUAL(device_of(text, &own6), "net_6");
	CU_ASSERT_STRING_EQUAL(device_of("fd00:9::1=net_6;net_any", &own6), "net_6");
	CU_ASSERT_STRING_EQUAL(device_of("fd00:9::1=net_6;net_any", &own), "net_any");
	CU_ASSERT_STRING_EQUAL(device_of("net_any;10.9.0.1=net_a", &own), "net_a");
}

static void an_address_without_one_is_refused(void)
{
	struct dpdk_spec spec = {.device = "as before"};

	CU_ASSERT_EQUAL(weft__dpdk_spec_read("10.9.0.2=net_b", &own, &spec), -WEFT_ENODEV);
	CU_ASSERT_STRING_EQUAL(spec.device, "as before");
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "WEFT_DPDK_DEVICE"));
}

static void what_is_no_entry_is_refused_with_what_is_wrong(void)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "there is no device"},
		{"net_a;", "there is no device"},
		{"10.9.0.1=", "there is no device"},
		{"net_a;net_b", "more than one device for any host"},
		{"host=net_a", "no address of a host"},
		{"10.9.0=net_a", "no address of a host"},
		{"10.9.0.1/0=net_a", "/BITS"},
		{"10.9.0.1/33=net_a", "/BITS"},
		{"10.9.0.1/x=net_a", "/BITS"},
		{"[fd00::1]/129=net_a", "/BITS"},
		{"10.9.0.1@10.9.0.254=net_a", "/BITS before"},
		{"10.9.0.1/24@fd00::1=net_a", "same IP"},
		{"10.9.0.1/24@x=net_a", "same IP"},
	};
	char longer[600];
	struct dpdk_spec spec;

	for (unsigned int i = 0; i < sizeof cases / sizeof *cases; i++) {
		CU_ASSERT_EQUAL(weft__dpdk_spec_read(cases[i].text, &own, &spec), -WEFT_EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), cases[i].why));
	}
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	CU_ASSERT_EQUAL(weft__dpdk_spec_read(longer, &own, &spec), -WEFT_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "too long"));
	longer[300] = '=';
	CU_ASSERT_EQUAL(weft__dpdk_spec_read(longer, &own, &spec), -WEFT_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "too long"));
}

static void without_bits_all_are_near(void)
{
	struct frame_host far = {4, {192, 168, 7, 7}};
	struct dpdk_spec spec;

	CU_ASSERT_EQUAL(weft__dpdk_spec_read("net_a", &own, &spec), 0);
	CU_ASSERT_PTR_EQUAL(weft__dpdk_spec_next(&spec, &own, &far), &far);
}

static void with_bits_the_others_are_reached_by_the_gateway(void)
{
	struct frame_host near = {4, {10, 9, 15, 200}}, far = {4, {10, 9, 16, 1}};
	const struct frame_host *next;
	struct dpdk_spec spec;

	CU_ASSERT_EQUAL(weft__dpdk_spec_read("10.9.0.1/20@10.9.0.254=net_a", &own, &spec), 0);
	CU_ASSERT_PTR_EQUAL(weft__dpdk_spec_next(&spec, &own, &near), &near);
	next = weft__dpdk_spec_next(&spec, &own, &far);
	CU_ASSERT_PTR_NOT_NULL_FATAL(next);
	CU_ASSERT_EQUAL(next->bytes[3], 254);
	CU_ASSERT_EQUAL(weft__dpdk_spec_read("10.9.0.1/32=net_a", &own, &spec), 0);
	CU_ASSERT_PTR_NULL(weft__dpdk_spec_next(&spec, &own, &near));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_device_is_what_dpdk_calls_it),
		SUITE_CASE(each_address_gets_its_own),
		SUITE_CASE(an_address_without_one_is_refused),
		SUITE_CASE(what_is_no_entry_is_refused_with_what_is_wrong),
		SUITE_CASE(without_bits_all_are_near),
		SUITE_CASE(with_bits_the_others_are_reached_by_the_gateway),
	};

	return suite_main("devices by WEFT_DPDK_DEVICE", cases, SUITE_COUNT(cases), argc, argv);
}
