import { existsSync } from "node:fs";
import { DmaBufError } from "../../errors.js";
import { DRM_FOLDER, DrmDevice } from "../drm/device.js";
import { Display } from "../drm/display.js";
import { DrmSyncobj } from "../drm/syncobj.js";
import { SOFTWARE_SYNC_PATH, SoftwareSyncTimeline } from "../software-sync.js";
import { VideoDevice } from "../video/device.js";
import { failure, tryFeature, type Finding, type Subject } from "./finding.js";

/** Graphics and video devices, and what is there for tests. */
export function surveyDevices(): Finding[] {
  return [...surveyGraphics(), ...surveyVideo(), surveySoftwareSync()];
}

function surveyGraphics(): Finding[] {
  const paths = DrmDevice.list();
  const use = "import and export of buffers, syncobjs, displays";
  if (paths.length === 0) {
    const advice = "Load the driver of the graphics device, or modprobe vgem for tests without one.";
    return [{ name: "graphics", use, state: "absent", detail: `no device in ${DRM_FOLDER}`, advice }];
  }
  return paths.map((path): Finding => {
    const run = (): string => {
      using device = DrmDevice.open(path);
      const { name, version } = device.version;
      return `${name} ${version}: ${abilities(device)}`;
    };
    return tryFeature({ name: path, use }, "The device is there and cannot be opened.", run, path);
  });
}

function abilities(device: DrmDevice): string {
  const list = [
    device.capability("PRIME") > 0 && "dma-bufs",
    device.capability("DUMB_BUFFER") > 0 && "images",
    displays(device),
    device.capability("SYNCOBJ") > 0 && "syncobjs",
    device.capability("SYNCOBJ_TIMELINE") > 0 && "timelines",
    hasEvents(device) && "events of syncobjs (6.6)",
  ].filter((each) => each !== false);
  return list.length === 0 ? "nothing that this library uses" : list.join(", ");
}

function displays(device: DrmDevice): string | false {
  try {
    const connected = Display.connectors(device).filter(({ isConnected }) => isConnected);
    return connected.length > 0 && `displays (${connected.map(({ name }) => name).join(", ")})`;
  } catch {
    // A render node, or a device that only computes.
    return false;
  }
}

function hasEvents(device: DrmDevice): boolean {
  if (device.capability("SYNCOBJ_TIMELINE") === 0) return false;
  try {
    using syncobj = DrmSyncobj.create(device, { signaled: true });
    using event = syncobj.onPoint(0);
    return event.isReady();
  } catch {
    return false;
  }
}

function surveyVideo(): Finding[] {
  const paths = VideoDevice.list();
  const use = "frames of cameras without a copy";
  if (paths.length === 0) {
    const advice = "Connect a camera, or modprobe vivid for a virtual one.";
    return [{ name: "cameras", use, state: "absent", detail: "no /dev/video*", advice }];
  }
  return paths.flatMap((path): Finding[] => {
    const subject: Subject = { name: path, use };
    try {
      using device = VideoDevice.open(path);
      const { card, driver, captures, outputs, converts, streams } = device.capabilities;
      // Sound, teletext and data about images have such devices too.
      if (!captures && !outputs) return [];
      const kind = converts ? "converter" : captures ? "camera" : "output";
      const detail = `${card} (${driver}): ${kind}`;
      if (streams) return [{ ...subject, state: "ok", detail }];
      return [{ ...subject, state: "failed", detail: `${detail} without buffers`, advice: "Use another device." }];
    } catch (error) {
      return [{ ...subject, ...failure(error, "The device is there and cannot be used.", path) }];
    }
  });
}

function surveySoftwareSync(): Finding {
  const subject: Subject = { name: "sw_sync", use: "the kernel's timelines for tests, and nothing else" };
  const advice = "It needs root, a mounted debugfs and a kernel built with CONFIG_SW_SYNC.";
  return tryFeature(subject, advice, () => {
    if (!existsSync(SOFTWARE_SYNC_PATH)) throw new DmaBufError("ENOENT", `there is no ${SOFTWARE_SYNC_PATH}`);
    SoftwareSyncTimeline.create().close();
    return SOFTWARE_SYNC_PATH;
  });
}
