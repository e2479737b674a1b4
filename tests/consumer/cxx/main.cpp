/* SPDX-License-Identifier: Apache-2.0 */
#include "every_function.h"

int main()
{
	call_base();
	call_topology();
	call_memory();
	call_rings_and_statistics();
	call_workers();
	call_drivers();
	call_nets();
	call_fabric();
	return 0;
}
