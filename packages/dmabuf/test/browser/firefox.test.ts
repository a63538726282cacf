import { testEngine } from "./engine.js";

testEngine("firefox");
