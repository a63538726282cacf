#!/usr/bin/env bash
# What the lab's kernel has beyond its configuration. Runs in the folder of the kernel's source.
set -euo pipefail

# No driver of the lab offers DRM's syncobjs, though nothing in them needs a device: vgem is told to.
vgem=drivers/gpu/drm/vgem/vgem_drv.c
sed -i 's/DRIVER_GEM | DRIVER_RENDER,/DRIVER_GEM | DRIVER_RENDER | DRIVER_SYNCOBJ | DRIVER_SYNCOBJ_TIMELINE,/' "$vgem"
grep -q DRIVER_SYNCOBJ_TIMELINE "$vgem"
