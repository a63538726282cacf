#!/usr/bin/env node
import { Command } from "commander";

await new Command("dmabuf").description("Looks at running domains of dmabuf").parseAsync();
