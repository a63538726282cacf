import { siteConfig } from "../dist/src/config.js";

export default siteConfig();
