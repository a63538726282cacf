import { ioctlNumber, request } from "../ioctl.js";
import { Struct } from "../struct.js";

/** The requests of displays. @see linux/include/uapi/drm/drm_mode.h and linux/include/uapi/drm/drm.h */
export const MODE = {
  SET_CLIENT_CAP: request("DRM_IOCTL_SET_CLIENT_CAP", "write", "d", 0x0d, { capability: "u64", value: "u64" }),
  /** It has no argument. */
  SET_MASTER: { name: "DRM_IOCTL_SET_MASTER", number: ioctlNumber("none", "d", 0x1e, 0) },
  GETRESOURCES: request("DRM_IOCTL_MODE_GETRESOURCES", "read-write", "d", 0xa0, {
    framebuffers: "u64",
    crtcs: "u64",
    connectors: "u64",
    encoders: "u64",
    framebufferCount: "u32",
    crtcCount: "u32",
    connectorCount: "u32",
    encoderCount: "u32",
    minWidth: "u32",
    maxWidth: "u32",
    minHeight: "u32",
    maxHeight: "u32",
  }),
  GETENCODER: request("DRM_IOCTL_MODE_GETENCODER", "read-write", "d", 0xa6, {
    encoder: "u32",
    type: "u32",
    crtc: "u32",
    possibleCrtcs: "u32",
    possibleClones: "u32",
  }),
  GETCONNECTOR: request("DRM_IOCTL_MODE_GETCONNECTOR", "read-write", "d", 0xa7, {
    encoders: "u64",
    modes: "u64",
    properties: "u64",
    propertyValues: "u64",
    modeCount: "u32",
    propertyCount: "u32",
    encoderCount: "u32",
    encoder: "u32",
    connector: "u32",
    type: "u32",
    typeNumber: "u32",
    connection: "u32",
    widthMm: "u32",
    heightMm: "u32",
    subpixel: "u32",
    pad: "u32",
  }),
  GETPROPERTY: request("DRM_IOCTL_MODE_GETPROPERTY", "read-write", "d", 0xaa, {
    values: "u64",
    enums: "u64",
    property: "u32",
    flags: "u32",
    name: { text: 32 },
    valueCount: "u32",
    enumCount: "u32",
  }),
  RMFB: request("DRM_IOCTL_MODE_RMFB", "read-write", "d", 0xaf, { framebuffer: "u32" }),
  GETPLANERESOURCES: request("DRM_IOCTL_MODE_GETPLANERESOURCES", "read-write", "d", 0xb5, {
    planes: "u64",
    planeCount: "u32",
  }),
  GETPLANE: request("DRM_IOCTL_MODE_GETPLANE", "read-write", "d", 0xb6, {
    plane: "u32",
    crtc: "u32",
    framebuffer: "u32",
    possibleCrtcs: "u32",
    gammaSize: "u32",
    formatCount: "u32",
    formats: "u64",
  }),
  ADDFB2: request("DRM_IOCTL_MODE_ADDFB2", "read-write", "d", 0xb8, {
    framebuffer: "u32",
    width: "u32",
    height: "u32",
    pixelFormat: "u32",
    flags: "u32",
    handles: { bytes: 16, align: 4 },
    pitches: { bytes: 16, align: 4 },
    offsets: { bytes: 16, align: 4 },
    modifiers: { bytes: 32, align: 8 },
  }),
  OBJ_GETPROPERTIES: request("DRM_IOCTL_MODE_OBJ_GETPROPERTIES", "read-write", "d", 0xb9, {
    properties: "u64",
    values: "u64",
    count: "u32",
    object: "u32",
    type: "u32",
  }),
  ATOMIC: request("DRM_IOCTL_MODE_ATOMIC", "read-write", "d", 0xbc, {
    flags: "u32",
    objectCount: "u32",
    objects: "u64",
    propertyCounts: "u64",
    properties: "u64",
    values: "u64",
    reserved: "u64",
    userData: "u64",
  }),
  CREATEPROPBLOB: request("DRM_IOCTL_MODE_CREATEPROPBLOB", "read-write", "d", 0xbd, {
    data: "u64",
    length: "u32",
    blob: "u32",
  }),
  DESTROYPROPBLOB: request("DRM_IOCTL_MODE_DESTROYPROPBLOB", "read-write", "d", 0xbe, { blob: "u32" }),
} as const;

/** A size and its timing. */
export const MODE_INFO = new Struct({
  clock: "u32",
  width: "u16",
  hsyncStart: "u16",
  hsyncEnd: "u16",
  htotal: "u16",
  hskew: "u16",
  height: "u16",
  vsyncStart: "u16",
  vsyncEnd: "u16",
  vtotal: "u16",
  vscan: "u16",
  refresh: "u32",
  flags: "u32",
  type: "u32",
  name: { text: 32 },
});

export const MODE_TYPE = { PREFERRED: 8 } as const;
export const CLIENT_CAP = { ATOMIC: 3 } as const;
export const ATOMIC_FLAG = { NONBLOCK: 0x200, ALLOW_MODESET: 0x400 } as const;
export const OBJECT = { CRTC: 0xcccc_cccc, CONNECTOR: 0xc0c0_c0c0, PLANE: 0xeeee_eeee } as const;
export const CONNECTION = { CONNECTED: 1 } as const;
export const PLANE_TYPE = { PRIMARY: 1 } as const;

/** As the kernel calls them in /sys/class/drm. @see linux/drivers/gpu/drm/drm_connector.c */
export const CONNECTOR_TYPES = [
  "Unknown",
  "VGA",
  "DVI-I",
  "DVI-D",
  "DVI-A",
  "Composite",
  "SVIDEO",
  "LVDS",
  "Component",
  "DIN",
  "DP",
  "HDMI-A",
  "HDMI-B",
  "TV",
  "eDP",
  "Virtual",
  "DSI",
  "DPI",
  "Writeback",
  "SPI",
  "USB",
] as const;
