// This file is the audits of GraphQL over HTTP, run against the address it is given: one line of JSON for each.

import { serverAudits } from 'graphql-http';

const [url] = process.argv.slice(2);

for (const audit of serverAudits({ url, fetchFn: fetch })) {
  const { id, name, status, reason } = await audit.fn();
  process.stdout.write(`${JSON.stringify({ id, name, status, reason })}\n`);
}
