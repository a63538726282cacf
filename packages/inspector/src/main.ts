#!/usr/bin/env node
import { Command } from "commander";

await new Command("dmabuf-inspector").description("Shows a running domain in a page").parseAsync();
