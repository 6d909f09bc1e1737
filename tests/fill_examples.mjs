// Fills in examples as GraphiQL does: a line of `[example, data]` on standard input is answered with a line of
// `{ query, variables }`.

import { createInterface } from "node:readline";

import { fillIn } from "../app/graphiql/src/candidates.js";

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(fillIn(...JSON.parse(line)))}\n`);
}
