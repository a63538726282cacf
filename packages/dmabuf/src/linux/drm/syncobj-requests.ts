import { request } from "../ioctl.js";

const DESCRIPTOR = { handle: "u32", flags: "u32", fd: "s32", pad: "u32" } as const;
const SYNCOBJS = { handles: "u64", count: "u32", pad: "u32" } as const;
const POINTS = { handles: "u64", points: "u64", count: "u32", flags: "u32" } as const;

/** The requests of DRM's syncobjs. @see linux/include/uapi/drm/drm.h */
export const SYNCOBJ = {
  CREATE: request("DRM_IOCTL_SYNCOBJ_CREATE", "read-write", "d", 0xbf, { handle: "u32", flags: "u32" }),
  DESTROY: request("DRM_IOCTL_SYNCOBJ_DESTROY", "read-write", "d", 0xc0, { handle: "u32", pad: "u32" }),
  HANDLE_TO_FD: request("DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD", "read-write", "d", 0xc1, DESCRIPTOR),
  FD_TO_HANDLE: request("DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE", "read-write", "d", 0xc2, DESCRIPTOR),
  WAIT: request("DRM_IOCTL_SYNCOBJ_WAIT", "read-write", "d", 0xc3, {
    handles: "u64",
    timeoutNs: "s64",
    count: "u32",
    flags: "u32",
    firstSignaled: "u32",
    pad: "u32",
  }),
  RESET: request("DRM_IOCTL_SYNCOBJ_RESET", "read-write", "d", 0xc4, SYNCOBJS),
  SIGNAL: request("DRM_IOCTL_SYNCOBJ_SIGNAL", "read-write", "d", 0xc5, SYNCOBJS),
  TIMELINE_WAIT: request("DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT", "read-write", "d", 0xca, {
    handles: "u64",
    points: "u64",
    timeoutNs: "s64",
    count: "u32",
    flags: "u32",
    firstSignaled: "u32",
    pad: "u32",
  }),
  QUERY: request("DRM_IOCTL_SYNCOBJ_QUERY", "read-write", "d", 0xcb, POINTS),
  TRANSFER: request("DRM_IOCTL_SYNCOBJ_TRANSFER", "read-write", "d", 0xcc, {
    source: "u32",
    target: "u32",
    sourcePoint: "u64",
    targetPoint: "u64",
    flags: "u32",
    pad: "u32",
  }),
  TIMELINE_SIGNAL: request("DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL", "read-write", "d", 0xcd, POINTS),
  /** Linux 6.6 and later. */
  EVENTFD: request("DRM_IOCTL_SYNCOBJ_EVENTFD", "read-write", "d", 0xcf, {
    handle: "u32",
    flags: "u32",
    point: "u64",
    fd: "s32",
    pad: "u32",
  }),
} as const;

export const SYNCOBJ_WAIT = { ALL: 1, FOR_SUBMIT: 2, AVAILABLE: 4 } as const;

export const SYNCOBJ_FLAG = { SIGNALED: 1, SYNC_FILE: 1, LAST_SUBMITTED: 1 } as const;
