import { Domain } from "dmabuf/streams";

addEventListener("message", async ({ data }) => {
  const domain = Domain.join(data.invitation);
  for await (const frame of domain.import(data.stream).frames()) frame.close();
  domain.close();
});
