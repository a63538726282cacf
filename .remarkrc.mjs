import validateLinks from "remark-validate-links";

/** Links between our own documents and files lead somewhere. Nothing is fetched. */
export default { plugins: [[validateLinks, { repository: false }]] };
