/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A C++17 program that calls each function of the library, and uses each macro, at least once: what a header says in a way
 * that only C understands does not compile here, and what is not found by its C name does not link. What the functions do
 * is proven elsewhere; here they must do something sensible.
 */
#ifndef EVERY_FUNCTION_H
#define EVERY_FUNCTION_H

#include <cstdio>
#include <cstdlib>

[[noreturn]] inline void complain(const char *what, const char *file, int line)
{
	std::fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	std::exit(1);
}
#define REQUIRE(condition) ((condition) ? (void)0 : complain(#condition, __FILE__, __LINE__))

/* Each a part of the library, in the order of its layers. */
void call_base();
void call_topology();
void call_memory();
void call_rings_and_statistics();
void call_workers();
void call_drivers();
void call_nets();
void call_fabric();

#endif
