// Preloaded into jsii's Node process by imports/lazy, which explains it: a prebuilt provider's lib/index.js requires every
// resource there is; lib/lazy-index.js beside it has the same exports as getters.
"use strict";
const { existsSync } = require("node:fs");
const Module = require("node:module");
const { dirname, join } = require("node:path");

const PROVIDER_INDEX = /[\\/]@cdkt[fn][\\/]provider-[^\\/]+[\\/]lib[\\/]index\.js$/;
const resolve = Module._resolveFilename;

Module._resolveFilename = function (...request) {
  const file = resolve.apply(this, request);
  if (!PROVIDER_INDEX.test(file)) return file;
  const lazy = join(dirname(file), "lazy-index.js");
  return existsSync(lazy) ? lazy : file;
};
