// Apollo Client: pages that join, lists after mutations, and components that share objects of the cache.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { ApolloLink, gql } from '@apollo/client';
import { from, mergeMap } from 'rxjs';
import { appendEdges, codesOf, createClient, deleteEdges, typePolicies } from './apollo.js';
import * as documents from './gql/graphql.js';
import { lists } from './lists.mjs';
import { assertEachAsksOnce } from './sharing.mjs';
import { eventually, readIds, tokenOf, url, withoutCursors } from './world.mjs';

const { AddAssetsDocument, AssetsDocument, CollectionPageDocument, RemoveAssetsDocument } = documents;
let ids;
let client;
let requests;
let gate; // requests wait for it

beforeEach(async () => {
  ids = await readIds();
  signIn('olu');
});

function signIn(who) {
  client = createClient(url, tokenOf(who));
  requests = [];
  gate = Promise.resolve();
  const record = new ApolloLink((operation, forward) => {
    requests.push(operation.operationName);
    return from(gate).pipe(mergeMap(() => forward(operation)));
  });
  client.setLink(record.concat(client.link));
}

function closedGate() {
  let open;
  const promise = new Promise((resolve) => (open = resolve));
  return { promise, open };
}

// A component that shows the results of a query until the end of the test.
function watch(t, query, variables = {}, fetchPolicy = 'cache-first') {
  const observable = client.watchQuery({ query, variables, fetchPolicy });
  const results = [];
  const subscription = observable.subscribe((result) => results.push(result));
  t.after(() => subscription.unsubscribe());
  return { observable, results, get data() { return results.at(-1).data; } };
}

async function loadMore(page, listOf) {
  const { edges, pageInfo } = listOf(page.data);
  await page.observable.fetchMore({ variables: { after: pageInfo.endCursor } });
  await eventually(() => assert.ok(listOf(page.data).edges.length > edges.length));
}

const namesOf = (connection) => connection.edges.map(({ node }) => node.name);
const freshPage = async (slug) => {
  const other = createClient(url, tokenOf('olu'));
  return (await other.query({ query: CollectionPageDocument, variables: { slug, first: 100 } })).data.collection;
};
const add = (slug, names) =>
  client.mutate({
    mutation: AddAssetsDocument,
    variables: { input: { collectionId: ids.collection[slug], assetIds: names.map((name) => ids.asset[name]) } },
    update: (cache, { data }) => appendEdges(cache, ids.collection[slug], data.collectionAssetsAdd.addedEdges),
  });

test('each list of the schema has a policy with its arguments', () => {
  const own = lists.filter(({ isInherited }) => !isInherited);
  assert.ok(own.length > 10);
  for (const { type, field, args, keyArgs } of own) {
    const policy = typePolicies[type]?.fields?.[field];
    assert.ok(policy, `${type}.${field}`);
    assert.deepEqual(policy.keyArgs(Object.fromEntries(args.map((name) => [name, 1]))).sort(), keyArgs.sort());
  }
});

test('pages join to the whole list', async (t) => {
  const page = watch(t, CollectionPageDocument, { slug: 'open', first: 3 });
  await eventually(() => assert.equal(page.data.collection.assets.edges.length, 3));
  while (page.data.collection.assets.pageInfo.hasNextPage) {
    await loadMore(page, ({ collection }) => collection.assets);
  }
  const fresh = await freshPage('open');
  assert.deepEqual(withoutCursors(page.data.collection), withoutCursors(fresh));
  assert.equal(page.data.collection.assets.edges.length, 7);
});

test('a scrolled list of ten does not fall to five', async (t) => {
  const page = watch(t, AssetsDocument, { first: 5 });
  await eventually(() => assert.equal(page.data.assets.edges.length, 5));
  await loadMore(page, ({ assets }) => assets);
  const ten = namesOf(page.data.assets);
  assert.equal(ten.length, 10);
  const { endCursor } = page.data.assets.pageInfo;
  const other = watch(t, AssetsDocument, { first: 5 }, 'network-only');
  await eventually(() => assert.equal(other.results.at(-1)?.networkStatus, 7));
  await client.query({ query: AssetsDocument, variables: { first: 5 }, fetchPolicy: 'network-only' });
  assert.deepEqual(namesOf(page.data.assets), ten);
  assert.equal(page.data.assets.pageInfo.endCursor, endCursor);
  await loadMore(page, ({ assets }) => assets);
  assert.equal(page.data.assets.edges.length, 11);
});

test('lists with different filters are apart', async () => {
  for (const name of ['align', 'lens']) {
    const filter = { ids: [ids.asset[name]] };
    const { data } = await client.query({ query: AssetsDocument, variables: { first: 5, filter } });
    assert.deepEqual(namesOf(data.assets), [name]);
  }
});

test('added assets are appended, and removed ones deleted', async (t) => {
  const page = watch(t, CollectionPageDocument, { slug: 'members', first: 100 });
  await eventually(() => assert.equal(page.data.collection.assets.edges.length, 4));
  const { data } = await add('members', ['count', 'align']);
  assert.deepEqual(data.collectionAssetsAdd.userErrors, []);
  assert.deepEqual(namesOf(page.data.collection.assets), ['blast', 'genomes', 'images', 'hidden', 'count', 'align']);
  assert.deepEqual(withoutCursors(page.data.collection), withoutCursors(await freshPage('members')));

  const removedAssetIds = [ids.asset.count, ids.asset.blast];
  const { promise, open } = closedGate();
  gate = promise;
  const removal = client.mutate({
    mutation: RemoveAssetsDocument,
    variables: { input: { collectionId: ids.collection.members, assetIds: removedAssetIds } },
    optimisticResponse: {
      collectionAssetsRemove: {
        __typename: 'CollectionAssetsPayload',
        collection: {
          __typename: 'Collection',
          id: ids.collection.members,
          assetCounts: { __typename: 'AssetCounts', total: 4, dataAssets: 3 },
        },
        removedAssetIds,
        userErrors: [],
      },
    },
    update: (cache, { data }) =>
      deleteEdges(cache, ids.collection.members, data.collectionAssetsRemove.removedAssetIds),
  });
  const left = ['genomes', 'images', 'hidden', 'align'];
  await eventually(() => assert.deepEqual(namesOf(page.data.collection.assets), left));
  open(); // the list has shown the change before the request was sent
  await removal;
  assert.deepEqual(namesOf(page.data.collection.assets), left);
  assert.deepEqual(withoutCursors(page.data.collection), withoutCursors(await freshPage('members')));
  assert.deepEqual(new Set(requests), new Set(['CollectionPage', 'AddAssets', 'RemoveAssets']));
});

test('lists in another order are loaded again after an addition', async (t) => {
  const page = watch(
    t,
    gql`query ByName($slug: String!) {
      collection(by: { slug: $slug }) { id assets(orderBy: { field: NAME }) { edges { node { ... on AssetFields { id name } } } } }
    }`,
    { slug: 'inner' },
  );
  await eventually(() => assert.deepEqual(namesOf(page.data.collection.assets), ['align', 'explore', 'images']));
  await add('inner', ['blast']);
  await eventually(() => assert.deepEqual(namesOf(page.data.collection.assets), ['align', 'blast', 'explore', 'images']));
  assert.deepEqual(requests, ['ByName', 'AddAssets', 'ByName']);
});

test('components with different fields of one object do not ask in turn', async (t) => {
  await assertEachAsksOnce((query, variables) => watch(t, query, variables), requests);
});

test('errors have codes', async () => {
  await assert.rejects(client.query({ query: documents.AuditLogDocument }), (error) => {
    assert.deepEqual(codesOf(error), ['FORBIDDEN']);
    return true;
  });
  const { data } = await add('members', ['lens']);
  assert.deepEqual(data.collectionAssetsAdd.userErrors.map(({ code }) => code), ['NOT_OWNER']);
});
