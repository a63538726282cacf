import { describe } from "node:test";
import { story } from "./story.js";

describe("webkit", () => story("webkit"));
