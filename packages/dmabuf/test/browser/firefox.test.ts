import { describe } from "node:test";
import { testEngine } from "./engine.js";

describe("firefox", () => testEngine("firefox"));
