import { request } from "../ioctl.js";
import { Struct } from "../struct.js";

/** How a display draws: its size and its times. */
export const MODE = new Struct(modeFields());

/** The requests of displays. @see linux/include/uapi/drm/drm_mode.h */
export const DISPLAY = {
  GET_RESOURCES: request("DRM_IOCTL_MODE_GETRESOURCES", "read-write", "d", 0xa0, {
    framebuffers: "u64",
    controllers: "u64",
    connectors: "u64",
    encoders: "u64",
    framebufferCount: "u32",
    controllerCount: "u32",
    connectorCount: "u32",
    encoderCount: "u32",
    leastWidth: "u32",
    mostWidth: "u32",
    leastHeight: "u32",
    mostHeight: "u32",
  }),
  SET_CONTROLLER: request("DRM_IOCTL_MODE_SETCRTC", "read-write", "d", 0xa2, {
    connectors: "u64",
    connectorCount: "u32",
    controller: "u32",
    framebuffer: "u32",
    x: "u32",
    y: "u32",
    gammaSize: "u32",
    isModeValid: "u32",
    mode: { bytes: MODE.size, align: 4 },
  }),
  GET_ENCODER: request("DRM_IOCTL_MODE_GETENCODER", "read-write", "d", 0xa6, {
    encoder: "u32",
    type: "u32",
    controller: "u32",
    possibleControllers: "u32",
    possibleClones: "u32",
  }),
  GET_CONNECTOR: request("DRM_IOCTL_MODE_GETCONNECTOR", "read-write", "d", 0xa7, {
    encoders: "u64",
    modes: "u64",
    properties: "u64",
    values: "u64",
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
  REMOVE_FRAMEBUFFER: request("DRM_IOCTL_MODE_RMFB", "read-write", "d", 0xaf, { framebuffer: "u32" }),
  ADD_FRAMEBUFFER: request("DRM_IOCTL_MODE_ADDFB2", "read-write", "d", 0xb8, {
    framebuffer: "u32",
    width: "u32",
    height: "u32",
    pixelFormat: "u32",
    flags: "u32",
    handle: "u32",
    otherHandles: { bytes: 12, align: 4 },
    pitch: "u32",
    otherPitches: { bytes: 12, align: 4 },
    offset: "u32",
    otherOffsets: { bytes: 12, align: 4 },
    modifiers: { bytes: 32, align: 8 },
  }),
} as const;

export const CONNECTED = 1;

function modeFields() {
  return {
    clockKhz: "u32",
    width: "u16",
    horizontal: { bytes: 8, align: 2 },
    height: "u16",
    vertical: { bytes: 8, align: 2 },
    refresh: "u32",
    flags: "u32",
    type: "u32",
    name: { text: 32 },
  } as const;
}
