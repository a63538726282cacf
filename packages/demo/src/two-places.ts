import type { Lab } from "dmabuf-host-lab";

/** Where a host of this machine is, and how a program is started there. */
export interface Place {
  readonly address: string;
  /** The program and its arguments that run a program there. */
  command(program: string, args: readonly string[]): readonly [string, readonly string[]];
}

/** The places of two hosts. When they are disposed of, nothing of them is left on the machine. */
export interface TwoPlaces extends AsyncDisposable {
  readonly places: readonly [Place, Place];
  /** Why both are on the machine's loopback; `undefined` if each is a network namespace. */
  readonly lacking: string | undefined;
}

/** This machine, by its loopback. */
export const HERE: Place = { address: "127.0.0.1", command: (program, args) => [program, args] };

/** Makes a network namespace for each of two hosts; where that cannot be, both are on this machine's loopback. */
export async function makeTwoPlaces(): Promise<TwoPlaces> {
  try {
    const lab = (await hostLab()).Lab.create(2);
    const [first, second] = lab.hosts;
    return {
      places: [first!, second!],
      lacking: undefined,
      [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
    };
  } catch (error) {
    return {
      places: [HERE, HERE],
      lacking: (error as Error).message,
      [Symbol.asyncDispose]: async () => {},
    };
  }
}

/** It is part of a checkout, and not of the published packages. */
async function hostLab(): Promise<{ readonly Lab: typeof Lab }> {
  try {
    return await import("dmabuf-host-lab");
  } catch (cause) {
    throw new Error("Cannot make hosts: There is no dmabuf-host-lab here, which a checkout of dmabuf has", { cause });
  }
}
