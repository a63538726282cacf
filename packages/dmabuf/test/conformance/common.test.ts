/** The cases that hold for the library and for the kernel, on the library. The group `kernel` runs them on the kernel. */
import { testCommonCases } from "../kernel/cases/common.js";
import { ourWorld } from "../kernel/cases/ours.js";

testCommonCases(ourWorld);
