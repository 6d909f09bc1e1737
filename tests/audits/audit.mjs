// Audits of the GraphQL over HTTP specification against the URL in argv. Prints one line of JSON for each audit.

import { serverAudits } from 'graphql-http';

const [url] = process.argv.slice(2);

for (const audit of serverAudits({ url, fetchFn: fetch })) {
  const { id, name, status, reason } = await audit.fn();
  process.stdout.write(`${JSON.stringify({ id, name, status, reason })}\n`);
}
