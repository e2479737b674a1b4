/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers that are loaded at run time: libweft-NAME.so from the directories in WEFT_MODULE_PATH, then from where this
 * library is; nowhere else, and never from a directory that depends on where the process stands. A module is never
 * unloaded, since threads may be in it, and tables are borrowed for ever.
 */
#include "core/core.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/log.h>

struct module {
	struct module *next;
	struct weft_driver driver; /* complete; its name is the one below */
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

static int check(const char *path, const char *name, const struct weft_driver_module *module)
{
	char what[128];

	if (!module)
		return refuse(path, "it exports no weft_driver_module", "is it a driver of weft at all?");
	if (module->abi != WEFT_DRIVER_ABI) {
		snprintf(what, sizeof what, "it is built for driver ABI %u, and this library has %u", module->abi,
			 WEFT_DRIVER_ABI);
		return refuse(path, what, "install the one that belongs to this version of weft");
	}
	if (!module->driver || module->driver->size < offsetof(struct weft_driver, device_open)) {
		snprintf(what, sizeof what, "its table has %zu bytes", module->driver ? module->driver->size : 0);
		return refuse(path, what, "set weft_driver.size to the size of the table");
	}
	if (!module->driver->name || strcmp(module->driver->name, name) != 0) {
		snprintf(what, sizeof what, "it holds driver \"%.40s\"",
			 module->driver->name ? module->driver->name : "");
		return refuse(path, what, "a file's name is libweft-NAME.so for its driver's name");
	}
	return 0;
}

static const struct weft_driver *load(const char *path, const char *name)
{
	/* NODELETE: what a refused module has started may still run. */
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	const struct weft_driver_module *found;
	struct module *module;

	if (!handle) {
		const char *why = dlerror();

		refuse(path, why ? why : "it cannot be loaded", "run ldd on it");
		return NULL;
	}
	found = dlsym(handle, "weft_driver_module");
	if (check(path, name, found) < 0)
		return NULL;
	module = calloc(1, sizeof *module);
	if (!module) {
		weft_set_error(WEFT_ENOMEM, "no memory for driver %s", name);
		return NULL;
	}
	weft__driver_complete(found->driver, &module->driver);
	strcpy(module->name, name);
	module->driver.name = module->name;
	module->next = modules;
	modules = module;
	weft_log(WEFT_LOG_INFO, "driver", "loaded %s from %s", name, path);
	return &module->driver;
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

static void say_unknown(const char *name, const char *list, const char *own)
{
	char known[128] = "";

	for (unsigned int i = 0; weft_driver_at(i); i++) {
		size_t len = strlen(known);

		snprintf(known + len, sizeof known - len, "%s%s", i ? ", " : "", weft_driver_at(i)->name);
	}
	weft_set_error(WEFT_ENODEV,
		       "there is no driver \"%s\": built in is %s, and libweft-%s.so is in no absolute directory of "
		       "WEFT_MODULE_PATH (%.120s) and not in %.120s",
		       name, known, name, *list ? list : "not set",
		       *own ? own : "the directory of libweft, which is not known");
}

static const struct weft_driver *find_and_load(const char *name)
{
	/* Not for programs with more rights than their caller. */
	const char *list = secure_getenv("WEFT_MODULE_PATH");
	char path[PATH_MAX], own[PATH_MAX];

	for (struct module *module = modules; module; module = module->next)
		if (strcmp(module->name, name) == 0)
			return &module->driver;
	list = list ? list : "";
	own_directory(own);
	if (file_in_list(list, name, path) || file_in(own, strlen(own), name, path))
		return load(path, name);
	say_unknown(name, list, own);
	return NULL;
}

const struct weft_driver *weft__module_driver(const char *name)
{
	const struct weft_driver *driver;

	pthread_mutex_lock(&lock);
	driver = find_and_load(name);
	pthread_mutex_unlock(&lock);
	return driver;
}
