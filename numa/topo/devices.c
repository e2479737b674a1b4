/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices and where they are attached: what the operating system calls them, and PCI functions that matter (network,
 * storage, accelerators) but have no such name, for example because a user-space driver has them.
 */
#include "topo/topology_private.h"

#include <weft/errors.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *weft_device_kind_name(enum weft_device_kind kind)
{
	static const char *const names[] = {"network", "rdma", "block", "gpu", "dma", "pci"};

	return (unsigned int)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

static enum weft_device_kind os_kind(hwloc_obj_osdev_type_t type)
{
	switch (type) {
	case HWLOC_OBJ_OSDEV_NETWORK:
		return WEFT_DEVICE_NETWORK;
	case HWLOC_OBJ_OSDEV_OPENFABRICS:
		return WEFT_DEVICE_RDMA;
	case HWLOC_OBJ_OSDEV_BLOCK:
		return WEFT_DEVICE_BLOCK;
	case HWLOC_OBJ_OSDEV_DMA:
		return WEFT_DEVICE_DMA;
	default:
		return WEFT_DEVICE_GPU;
	}
}

static void set_pci(struct weft_topology_device *device, const struct hwloc_pcidev_attr_s *pci)
{
	snprintf(device->pci, sizeof device->pci, "%04x:%02x:%02x.%01x", pci->domain & 0xffff, pci->bus, pci->dev,
		 pci->func & 0xf);
	device->vendor_id = pci->vendor_id;
	device->device_id = pci->device_id;
}

/* The CPUs of the first ancestor that has any, and its NUMA node if there is exactly one or it is the only one. */
static int set_place(const struct weft_topology *topology, hwloc_obj_t obj, struct weft_topology_device *device)
{
	hwloc_obj_t place = hwloc_get_non_io_ancestor_obj(topology->hwloc, obj);
	int err, first;

	device->numa = -1;
	if (!place)
		return 0;
	err = weft__topo_copy_set(place->cpuset, &device->cpus);
	if (err)
		return err;
	first = hwloc_bitmap_first(place->nodeset);
	if (first < 0 || hwloc_bitmap_weight(place->nodeset) != 1)
		return 0;
	for (unsigned int i = 0; i < topology->summary.numa_nodes; i++)
		if (topology->numas[i].node == (unsigned int)first)
			device->numa = (int)i;
	return 0;
}

static int describe_os(const struct weft_topology *topology, hwloc_obj_t obj, struct weft_topology_device *device)
{
	device->kind = os_kind(obj->attr->osdev.type);
	snprintf(device->name, sizeof device->name, "%s", obj->name ? obj->name : "");
	for (hwloc_obj_t up = obj->parent; up; up = up->parent)
		if (up->type == HWLOC_OBJ_PCI_DEVICE) {
			set_pci(device, &up->attr->pcidev);
			break;
		}
	return set_place(topology, obj, device);
}

static int describe_pci(const struct weft_topology *topology, hwloc_obj_t obj, struct weft_topology_device *device)
{
	device->kind = WEFT_DEVICE_PCI;
	set_pci(device, &obj->attr->pcidev);
	snprintf(device->name, sizeof device->name, "%s", device->pci);
	return set_place(topology, obj, device);
}

static bool has_os_device(hwloc_obj_t pci)
{
	for (hwloc_obj_t child = pci->io_first_child; child; child = child->next_sibling)
		if (child->type == HWLOC_OBJ_OS_DEVICE)
			return true;
	return false;
}

int weft__topo_fill_devices(struct weft_topology *topology)
{
	hwloc_topology_t hwloc = topology->hwloc;
	unsigned int count = 0;
	hwloc_obj_t obj = NULL;
	int err;

	while ((obj = hwloc_get_next_osdev(hwloc, obj)))
		count++;
	while ((obj = hwloc_get_next_pcidev(hwloc, obj)))
		count++;
	topology->devices = calloc(count ? count : 1, sizeof *topology->devices);
	if (!topology->devices)
		return weft_set_error(WEFT_ENOMEM, "out of memory for %u devices", count);
	while ((obj = hwloc_get_next_osdev(hwloc, obj))) {
		err = describe_os(topology, obj, &topology->devices[topology->summary.devices++]);
		if (err)
			return err;
	}
	while ((obj = hwloc_get_next_pcidev(hwloc, obj))) {
		if (has_os_device(obj))
			continue;
		err = describe_pci(topology, obj, &topology->devices[topology->summary.devices++]);
		if (err)
			return err;
	}
	return 0;
}

bool weft_topology_device_at(const struct weft_topology *topology, unsigned int i, struct weft_topology_device *out)
{
	if (i >= topology->summary.devices)
		return false;
	*out = topology->devices[i];
	return true;
}

static bool is_called(const struct weft_topology_device *device, const char *name)
{
	/* PCI addresses are also known without their domain when it is 0000. */
	return strcmp(device->name, name) == 0 || (device->pci[0] && strcasecmp(device->pci, name) == 0) ||
	       (strncmp(device->pci, "0000:", 5) == 0 && strcasecmp(device->pci + 5, name) == 0);
}

int weft_topology_find_device(const struct weft_topology *topology, const char *name, struct weft_topology_device *out)
{
	char known[256] = "none";
	size_t len = 0;

	for (unsigned int i = 0; i < topology->summary.devices; i++) {
		const struct weft_topology_device *device = &topology->devices[i];

		if (is_called(device, name)) {
			*out = *device;
			return 0;
		}
		if (len + strlen(device->name) + 3 < sizeof known)
			len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", len ? ", " : "", device->name);
	}
	if (!topology->summary.knows_devices)
		return weft_set_error(WEFT_ENODEV,
				      "cannot look for device '%.60s': this topology was read without devices", name);
	return weft_set_error(WEFT_ENODEV, "no device '%.60s' on this machine; known are: %s", name, known);
}
