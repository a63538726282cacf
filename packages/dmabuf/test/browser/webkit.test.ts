import { testEngine } from "./engine.js";

testEngine("webkit");
