import { story } from "./story.js";

story("webkit");
