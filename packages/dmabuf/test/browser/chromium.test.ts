import { describe } from "node:test";
import { testEngine } from "./engine.js";

describe("chromium", () => testEngine("chromium"));
