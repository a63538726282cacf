/** The cases that hold for the library and for the kernel, on the kernel. */
import { testCommonCases } from "../cases/common.js";
import { kernelWorld } from "../cases/kernel.js";

testCommonCases(kernelWorld);
