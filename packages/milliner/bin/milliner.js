#!/usr/bin/env node
// Committed, unlike dist/: a package manager links a command only if its file is there at installation.
import { main } from "../dist/main.js";

process.exitCode = await main(process.argv.slice(2));
