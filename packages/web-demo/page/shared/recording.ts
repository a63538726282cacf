/** The file that recordings are in, in the origin's private file system. */
export const RECORDING = "recording.dmabuf";
