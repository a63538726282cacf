// A page that shows this program's own domain: node dist/examples/served.js
import { ProcessDomain } from "dmabuf/node";
import { serveInspector } from "dmabuf-inspector/server";

using domain = ProcessDomain.create({ name: "camera" });
using buffer = domain.allocate(4096, { name: "frame" });

// Any process of this user can do the same, with a number or a place of this domain.
await using inspector = await serveInspector({ where: process.pid });
console.log("open", inspector.url, "to see buffer", buffer.name);

const { status } = await fetch(inspector.url);
console.log(status === 200 ? "the page is there" : status, "until this program ends");
