// The server and the world that the tests run against, requests without a client, and waiting for a client.

import assert from 'node:assert/strict';

const { url: server, tokens } = JSON.parse(process.env.ATOLL_TEST_WORLD);
export const url = `${server}/graphql`;
export const tokenOf = (who) => tokens[who];

export async function post(who, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${tokenOf(who)}` },
    body: JSON.stringify(body),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined);
  return data;
}

export const request = (who, query, variables = {}) => post(who, { query, variables });

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

// A cursor names its neighbours at the time of the page, and pageInfo is that of the page loaded last.
export const withoutCursors = (data) =>
  JSON.parse(JSON.stringify(data, (key, value) => (['cursor', 'pageInfo'].includes(key) ? undefined : value)));

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Leaves time for requests that should not be sent.
export const settle = () => wait(200);

export async function eventually(check) {
  for (let tries = 100; ; tries -= 1) {
    try {
      return await check();
    } catch (failure) {
      if (!tries) throw failure;
      await wait(100);
    }
  }
}
