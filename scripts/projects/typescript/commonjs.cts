import { Domain } from "dmabuf";
import { capabilities } from "dmabuf/node";
import { rawFormat } from "dmabuf/streams";

const domain = Domain.create();
const stream = domain.createStream({ format: rawFormat(capabilities().missing.length + 1) });
stream.loanSync()?.publish();
domain.close();
