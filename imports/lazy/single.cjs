// Preloaded into jsii's Node process by imports/lazy. jsii starts two: the first only relays the messages between Python, which
// are on its stdin and stdout, and the second, which has them on its descriptor 3. Here the first runs the program of the second:
// a process less to start and to keep, and two hand-overs less in every call. A jsii that is built differently relays.
"use strict";
const fs = require("node:fs");
const Module = require("node:module");
const { dirname, resolve } = require("node:path");
const { Writable } = require("node:stream");
const { isMainThread } = require("node:worker_threads");

const relay = process.argv[1] ?? "";
const program = resolve(dirname(relay), "..", "lib", "program.js");

if (isMainThread && fs.existsSync(program) && fs.readFileSync(program, "utf8").includes("readFD:3,writeFD:3")) {
  const { readSync, writeSync } = fs;
  fs.readSync = (fd, ...rest) => readSync(fd === 3 ? 0 : fd, ...rest);
  fs.writeSync = (fd, ...rest) => writeSync(fd === 3 ? 1 : fd, ...rest);

  // What a library prints goes to Python as the relay would send it: as lines of JSON on stderr.
  for (const name of ["stdout", "stderr"]) {
    const write = (chunk, _, done) => done(void writeSync(2, `${JSON.stringify({ [name]: chunk.toString("base64") })}\n`));
    Object.defineProperty(process, name, { value: new Writable({ write }) });
  }

  process.execArgv.push("--preserve-symlinks"); // jsii looks for it here; the flag itself is in NODE_OPTIONS
  const resolveFilename = Module._resolveFilename;
  Module._resolveFilename = (request, ...rest) => (request === relay ? program : resolveFilename(request, ...rest));
}
