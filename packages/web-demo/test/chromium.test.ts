import { story } from "./story.js";

story("chromium");
