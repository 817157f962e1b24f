// Libraries are not beside these programs, but where the test command has installed them.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { resolve } = createRequire(`${process.env.CLIENT_MODULES}/`);

export const load = (name) => import(pathToFileURL(resolve(name)));
