// The server and the world that the tests run against, and requests without a client.

import assert from 'node:assert/strict';

const { url: server, tokens } = JSON.parse(process.env.ATOLL_TEST_WORLD);
export const url = `${server}/graphql`;
export const tokenOf = (who) => tokens[who];

export async function request(who, query, variables = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${tokenOf(who)}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined);
  return data;
}

// Ids of all assets, collections and topics, by name or slug.
export async function readIds() {
  const { assets, collections, topics } = await request(
    'ada',
    `{ assets(first: 100) { nodes { ... on AssetFields { id name } } }
       collections { nodes { id name: slug } } topics { nodes { id name: slug } } }`,
  );
  const pairs = (list) => list.nodes.map(({ id, name }) => [name, id]);
  return {
    asset: Object.fromEntries(pairs(assets)),
    collection: Object.fromEntries(pairs(collections)),
    topic: Object.fromEntries(pairs(topics)),
  };
}
