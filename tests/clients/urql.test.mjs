// urql with graphcache: pages that join, lists after mutations, and components that share objects of the cache.

import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { codesOf, createClient, resolvers } from './urql.js';
import * as documents from './gql/graphql.js';
import { lists } from './lists.mjs';
import { assertEachAsksOnce } from './sharing.mjs';
import { eventually, readIds, settle, tokenOf, url } from './world.mjs';

const { AddAssetsDocument, AssetsDocument, CollectionPageDocument, RemoveAssetsDocument } = documents;
let ids;
let client;
let requests;
const warn = mock.method(console, 'warn');
const error = mock.method(console, 'error');

beforeEach(async () => {
  ids = await readIds();
  requests = [];
  const record = (input, init) => {
    requests.push(JSON.parse(init.body).operationName);
    return fetch(input, init);
  };
  client = createClient(url, tokenOf('olu'), { fetcher: record });
});

// A component that shows the results of a query until the end of the test.
function watch(t, query, variables = {}, requestPolicy = 'cache-first') {
  const results = [];
  const { unsubscribe } = client.query(query, variables, { requestPolicy }).subscribe((result) => results.push(result));
  t.after(unsubscribe);
  return { results, get data() { return results.at(-1).data; } };
}

const read = async (query, variables, options) => (await client.query(query, variables, options).toPromise()).data;
const namesOf = (connection) => connection.edges.map(({ node }) => node.name);
const input = (slug, names) => ({
  input: { collectionId: ids.collection[slug], assetIds: names.map((name) => ids.asset[name]) },
});

test('each list of the schema joins its pages', () => {
  const ofObjects = lists.filter(({ isOfInterface }) => !isOfInterface);
  assert.ok(ofObjects.length > 10);
  assert.deepEqual(ofObjects.filter(({ type, field }) => !resolvers[type]?.[field]), []);
});

test('pages join to the whole list', async (t) => {
  const page = watch(t, CollectionPageDocument, { slug: 'open', first: 3 });
  await eventually(() => assert.equal(page.data.collection.assets.edges.length, 3));
  const loaded = [page];
  while (loaded.at(-1).data.collection.assets.pageInfo.hasNextPage) {
    const after = loaded.at(-1).data.collection.assets.pageInfo.endCursor;
    const next = watch(t, CollectionPageDocument, { slug: 'open', first: 3, after });
    await eventually(() => assert.ok(next.data.collection.assets.edges.length > loaded.length * 3));
    loaded.push(next);
  }
  const whole = ['lens', 'hidden', 'align', 'blast', 'count', 'junk', 'kept'];
  assert.deepEqual(namesOf(loaded.at(-1).data.collection.assets), whole);
});

test('a scrolled list of ten does not fall to five', async (t) => {
  const page = watch(t, AssetsDocument, { first: 5 });
  await eventually(() => assert.equal(page.data.assets.edges.length, 5));
  const next = watch(t, AssetsDocument, { first: 5, after: page.data.assets.pageInfo.endCursor });
  await eventually(() => assert.equal(next.data.assets.edges.length, 10));
  const ten = namesOf(next.data.assets);
  await read(AssetsDocument, { first: 5 }, { requestPolicy: 'network-only' });
  await settle();
  assert.deepEqual(namesOf(next.data.assets), ten);
});

test('lists are loaded again after an addition and a removal', async (t) => {
  const page = watch(t, CollectionPageDocument, { slug: 'members', first: 100 });
  const members = ['blast', 'genomes', 'images', 'hidden'];
  await eventually(() => assert.deepEqual(namesOf(page.data.collection.assets), members));
  const added = await client.mutation(AddAssetsDocument, input('members', ['count', 'align'])).toPromise();
  assert.deepEqual(added.data.collectionAssetsAdd.userErrors, []);
  await eventually(() => assert.deepEqual(namesOf(page.data.collection.assets), [...members, 'count', 'align']));
  assert.equal(page.data.collection.assetCounts.total, 6);
  await client.mutation(RemoveAssetsDocument, input('members', ['count', 'blast'])).toPromise();
  await eventually(() =>
    assert.deepEqual(namesOf(page.data.collection.assets), ['genomes', 'images', 'hidden', 'align']),
  );
  assert.equal(page.data.collection.assetCounts.total, 4);
});

test('components with different fields of one object do not ask in turn', async (t) => {
  await assertEachAsksOnce((query, variables) => watch(t, query, variables), requests);
});

test('errors have codes', async () => {
  const refused = await client.query(documents.AuditLogDocument, {}).toPromise();
  assert.deepEqual([refused.data?.auditLog ?? null, codesOf(refused.error)], [null, ['FORBIDDEN']]);
  const { data } = await client.mutation(AddAssetsDocument, input('members', ['lens'])).toPromise();
  assert.deepEqual(data.collectionAssetsAdd.userErrors.map(({ code }) => code), ['NOT_OWNER']);
});

test('the cache has no warnings', () => {
  assert.deepEqual([...warn.mock.calls, ...error.mock.calls].map(({ arguments: [message] }) => message), []);
});
