/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers that are loaded at run time: libweft-NAME.so from the directories in WEFT_MODULE_PATH, then from where this
 * library is; nowhere else, and never from a directory that depends on where the process stands. A module is never
 * unloaded, since threads may be in it, and tables are borrowed for ever.
 *
 * Tables of both kinds (weft/driver.h, weft/net.h) begin alike, and so do the symbols by which modules export them.
 */
#include "core/core.h"

#include "fault/fault.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/log.h>

/* How every table begins. */
struct table {
	size_t size;
	const char *name;
};

/* How a module exports one, whatever its kind. */
struct exported {
	uint32_t abi;
	uint32_t reserved;
	const struct table *table;
};
#define EXPORTED_AS(type)                                                       \
	(sizeof(type) == sizeof(struct exported) && offsetof(type, abi) == 0 && \
	 offsetof(type, driver) == offsetof(struct exported, table))
_Static_assert(EXPORTED_AS(struct weft_driver_module) && EXPORTED_AS(struct weft_net_driver_module),
	       "both kinds are exported alike");
_Static_assert(offsetof(struct weft_driver, name) == offsetof(struct table, name) &&
		       offsetof(struct weft_net_driver, name) == offsetof(struct table, name),
	       "both kinds of tables begin alike");

struct module {
	struct module *next;
	const struct weft__module_kind *kind;
	union {
		struct table head;
		struct weft_driver driver;
		struct weft_net_driver net;
	} table; /* complete; its name is the one below */
	char name[WEFT__DRIVER_NAME_MAX + 1];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct module *modules;

/* ---- does it fit? ---- */

static int refuse(const char *path, const char *what, const char *action)
{
	weft_log(WEFT_LOG_WARN, "driver", "module %s refused %s action %s", path, what, action);
	return weft_set_error(WEFT_EVERSION, "%s is refused: %s; %s", path, what, action);
}

static int check(const struct weft__module_kind *kind, const char *path, const char *name,
		 const struct exported *module)
{
	char what[128];

	if (!module) {
		snprintf(what, sizeof what, "it exports no %s", kind->symbol);
		return refuse(path, what, "is it a driver of weft at all?");
	}
	if (module->abi != kind->abi) {
		snprintf(what, sizeof what, "it is built for %s ABI %u, and this library has %u", kind->what,
			 module->abi, kind->abi);
		return refuse(path, what, "install the one that belongs to this version of weft");
	}
	if (!module->table || module->table->size < kind->least_bytes) {
		snprintf(what, sizeof what, "its table has %zu bytes", module->table ? module->table->size : 0);
		return refuse(path, what, "set the table's size to what it has");
	}
	if (!module->table->name || strcmp(module->table->name, name) != 0) {
		snprintf(what, sizeof what, "it holds driver \"%.40s\"",
			 module->table->name ? module->table->name : "");
		return refuse(path, what, "a file's name is libweft-NAME.so for its driver's name");
	}
	return 0;
}

static const void *load(const struct weft__module_kind *kind, const char *path, const char *name)
{
	/* NODELETE: what a refused module has started may still run. */
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	const struct exported *found;
	struct module *module;

	if (!handle) {
		const char *why = dlerror();

		refuse(path, why ? why : "it cannot be loaded", "run ldd on it");
		return NULL;
	}
	found = dlsym(handle, kind->symbol);
	if (check(kind, path, name, found) < 0)
		return NULL;
	module = calloc(1, sizeof *module);
	if (!module) {
		weft_set_error(WEFT_ENOMEM, "no memory for driver %s", name);
		return NULL;
	}
	kind->complete(found->table, &module->table);
	strcpy(module->name, name);
	module->table.head.name = module->name;
	module->kind = kind;
	module->next = modules;
	modules = module;
	weft_log(WEFT_LOG_INFO, "driver", "loaded %s from %s", name, path);
	return &module->table;
}

/* ---- where is it? ---- */

/* The file in this directory, if there is one. False: there is none, or the directory is not absolute. */
static bool file_in(const char *directory, size_t len, const char *name, char path[PATH_MAX])
{
	int written = snprintf(path, PATH_MAX, "%.*s/libweft-%s.so", (int)len, directory, name);

	return len > 0 && directory[0] == '/' && written < PATH_MAX && access(path, F_OK) == 0;
}

static bool file_in_list(const char *list, const char *name, char path[PATH_MAX])
{
	while (*list) {
		size_t len = strcspn(list, ":");

		if (len < PATH_MAX && file_in(list, len, name, path))
			return true;
		list += len + (list[len] == ':');
	}
	return false;
}

/* The directory that this code was loaded from; "" when the loader knows it only relative to where the process was. */
static void own_directory(char directory[PATH_MAX])
{
	Dl_info info;
	char *slash;

	directory[0] = '\0';
	if (!dladdr(&modules, &info) || !info.dli_fname || info.dli_fname[0] != '/' ||
	    !realpath(info.dli_fname, directory)) {
		directory[0] = '\0';
		return;
	}
	slash = strrchr(directory, '/');
	*slash = '\0';
}

static void say_unknown(const struct weft__module_kind *kind, const char *name, const char *list, const char *own)
{
	char known[128] = "";

	for (unsigned int i = 0; kind->built_in(i); i++) {
		size_t len = strlen(known);

		snprintf(known + len, sizeof known - len, "%s%s", i ? ", " : "", kind->built_in(i));
	}
	weft_set_error(WEFT_ENODEV,
		       "there is no %s \"%s\": built in is %s, and libweft-%s.so is in no absolute directory of "
		       "WEFT_MODULE_PATH (%.120s) and not in %.120s",
		       kind->what, name, known, name, *list ? list : "not set",
		       *own ? own : "the directory of libweft, which is not known");
}

static const void *find_and_load(const struct weft__module_kind *kind, const char *name)
{
	/* Not for programs with more rights than their caller. */
	const char *list = secure_getenv("WEFT_MODULE_PATH");
	char path[PATH_MAX], own[PATH_MAX];

	for (struct module *module = modules; module; module = module->next)
		if (module->kind == kind && strcmp(module->name, name) == 0)
			return &module->table;
	list = list ? list : "";
	own_directory(own);
	if (file_in_list(list, name, path) || file_in(own, strlen(own), name, path))
		return load(kind, path, name);
	say_unknown(kind, name, list, own);
	return NULL;
}

/* A name becomes part of a file's name: nothing in it may lead anywhere else. */
static bool name_valid(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return len > 0 && len <= WEFT__DRIVER_NAME_MAX && !name[len];
}

const void *weft__module_find(const struct weft__module_kind *kind, const char *name)
{
	const void *table;

	if (!name_valid(name)) {
		weft_set_error(WEFT_ENODEV,
			       "\"%.80s\" names no %s: a name is 1 to %d of [a-z0-9_-], or %s and such a name", name,
			       kind->what, WEFT__DRIVER_NAME_MAX, FAULT_PREFIX);
		return NULL;
	}
	pthread_mutex_lock(&lock);
	table = find_and_load(kind, name);
	pthread_mutex_unlock(&lock);
	return table;
}
