import { story } from "./story.js";

story("firefox");
