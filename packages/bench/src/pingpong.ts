import process from "node:process";
import { compilePeer } from "./peers.js";

/**
 * The C program.
 *
 * @returns Its path; `undefined` if there is no C compiler (`CC`, or `gcc`).
 */
export function compilePingpong(): { readonly path: string; readonly compiler: string } | undefined {
  return compilePeer("pingpong.c", process.env["CC"] ?? "gcc", ["-O2", "-pthread"]);
}
