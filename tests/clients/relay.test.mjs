// Relay: after each mutation, the store's lists equal those of a new store that asks the server, without an updater.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import relay from 'relay-runtime';
import { codesOf, createEnvironment } from './relay/environment.js';
import addAtStart from './relay/__generated__/collectionsAddAtStartMutation.graphql.js';
import add from './relay/__generated__/collectionsAddMutation.graphql.js';
import updateAssetCollections from './relay/__generated__/collectionsAssetCollectionsMutation.graphql.js';
import assetQuery from './relay/__generated__/collectionsAssetQuery.graphql.js';
import deleteCollection from './relay/__generated__/collectionsCollectionDeleteMutation.graphql.js';
import move from './relay/__generated__/collectionsMoveMutation.graphql.js';
import pageQuery from './relay/__generated__/collectionsPageQuery.graphql.js';
import remove from './relay/__generated__/collectionsRemoveMutation.graphql.js';
import mergeTopics from './relay/__generated__/collectionsTopicMergeMutation.graphql.js';
import topicQuery from './relay/__generated__/collectionsTopicQuery.graphql.js';
import topicsQuery from './relay/__generated__/collectionsTopicsQuery.graphql.js';
import undo from './relay/__generated__/collectionsUndoMutation.graphql.js';
import { readIds, request, tokenOf, url, withoutCursors } from './world.mjs';

const { commitMutation, ConnectionHandler, createOperationDescriptor, fetchQuery, getRequest, ROOT_ID } = relay;
const PAGE = 3;
const MEMBERS = ['blast', 'genomes', 'images', 'hidden'];

let ids;
let environment;

beforeEach(async () => {
  ids = await readIds();
});

function signIn(who) {
  environment = createEnvironment(url, tokenOf(who));
  environment.who = who;
}

// A list on the page: its query, and the place of its connection in the data.
class List {
  constructor(query, variables, key, connectionOf, parentId) {
    Object.assign(this, { query, variables, connectionOf });
    this.id = ConnectionHandler.getConnectionID(parentId, key);
  }

  read(store = environment) {
    const operation = createOperationDescriptor(getRequest(this.query), { ...this.variables, first: PAGE });
    return store.lookup(operation.fragment);
  }

  async loadPage(store = environment, after = null) {
    const variables = { ...this.variables, first: PAGE, after };
    store.retain(createOperationDescriptor(getRequest(this.query), variables));
    await fetchQuery(store, this.query, variables).toPromise();
    return this.connectionOf(this.read(store).data).pageInfo;
  }

  async load(store = environment) {
    for (let page = await this.loadPage(store); page.hasNextPage; ) page = await this.loadPage(store, page.endCursor);
    return this;
  }

  names(store = environment) {
    return this.connectionOf(this.read(store).data).edges.map(({ node }) => node.name ?? node.slug);
  }

  async assertFresh() {
    const fresh = createEnvironment(url, tokenOf(environment.who));
    await this.load(fresh);
    assert.equal(this.read().isMissingData, false);
    assert.deepEqual(withoutCursors(this.read().data), withoutCursors(this.read(fresh).data));
  }
}

const assetsOf = (slug) =>
  new List(pageQuery, { slug }, 'Collection_assets', (data) => data.collection.assets, ids.collection[slug]).load();
const collectionsOf = (slug) =>
  new List(topicQuery, { slug }, 'Topic_collections', (data) => data.topic.collections, ids.topic[slug]).load();
const topics = () => new List(topicsQuery, {}, 'Page_topics', (data) => data.topics, ROOT_ID).load();
const collectionsWith = (name, slug) =>
  new List(
    assetQuery,
    { id: ids.asset[name], collectionId: ids.collection[slug] },
    'Asset_collections',
    (data) => data.node.collections,
    ids.asset[name],
  ).load();

const commit = (mutation, variables, optimisticResponse) =>
  new Promise((resolve, reject) => {
    commitMutation(environment, {
      mutation,
      variables,
      optimisticResponse,
      onCompleted: (data, errors) => (errors ? reject(errors) : resolve(Object.values(data)[0])),
      onError: reject,
    });
  });

const readAfter = async (cursor) => {
  const query = `query($after: String) {
    collection(by: { slug: "members" }) { assets(after: $after) { nodes { ... on AssetFields { name } } } } }`;
  const { collection } = await request(environment.who, query, { after: cursor });
  return collection.assets.nodes.map(({ name }) => name);
};

const assetIds = (...names) => names.map((name) => ids.asset[name]);
const codes = ({ userErrors }) => userErrors.map(({ code }) => code);

test('pages join to the whole list', async () => {
  signIn('olu');
  const open = await assetsOf('open');
  assert.deepEqual(open.names(), ['lens', 'hidden', 'align', 'blast', 'count', 'junk', 'kept']);
  assert.equal(open.read().isMissingData, false);
  await open.assertFresh();
});

test('an addition appends edges', async () => {
  signIn('olu');
  const members = await assetsOf('members');
  const input = { collectionId: ids.collection.members, assetIds: assetIds('count', 'align'), note: 'Why' };
  const added = await commit(add, { input, connections: [members.id] });
  assert.deepEqual([codes(added), members.names().slice(-2)], [[], ['count', 'align']]);
  const { cursor } = members.read().data.collection.assets.edges.at(-2);
  assert.deepEqual(await readAfter(cursor), ['align'], 'pages go on after the cursor of an appended edge');
  await members.assertFresh();

  const undone = await commit(undo, {
    input: { changeId: added.change.id },
    removedFrom: [members.id],
    addedTo: [members.id],
  });
  assert.deepEqual([codes(undone), members.names()], [[], MEMBERS]);
  await members.assertFresh();

  await commit(undo, { input: { changeId: undone.changes[0].id }, removedFrom: [members.id], addedTo: [members.id] });
  assert.deepEqual(members.names().slice(-2), ['count', 'align']);
  await members.assertFresh();
});

test('an addition at the start prepends edges', async () => {
  signIn('olu');
  const bare = await assetsOf('bare');
  for (const name of ['blast', 'genomes']) {
    const input = { collectionId: ids.collection.bare, assetIds: assetIds(name), position: { atStart: true } };
    assert.deepEqual(codes(await commit(addAtStart, { input, connections: [bare.id] })), []);
  }
  assert.deepEqual(bare.names(), ['genomes', 'blast']);
  await bare.assertFresh();
});

test('of an addition in BEST_EFFORT mode, refused assets leave the list as it is', async () => {
  signIn('olu');
  const inner = await assetsOf('inner');
  const input = { collectionId: ids.collection.inner, assetIds: assetIds('lens', 'count'), mode: 'BEST_EFFORT' };
  const added = await commit(add, { input, connections: [inner.id] });
  assert.deepEqual(added.results.map(({ status, error }) => [status, error?.code]), [
    ['FAILED', 'NOT_OWNER'],
    ['CHANGED', undefined],
  ]);
  assert.deepEqual(inner.names(), ['align', 'explore', 'images', 'count']);
  await inner.assertFresh();
});

test('a refused addition and a dry run change no list', async () => {
  signIn('olu');
  const deep = await assetsOf('deep');
  const before = deep.read().data;
  const input = { collectionId: ids.collection.deep, assetIds: assetIds('count', 'junk'), mode: 'ATOMIC' };
  const refused = await commit(add, { input, connections: [deep.id] });
  assert.deepEqual(refused.results.map(({ status }) => status), ['ROLLED_BACK', 'FAILED']);
  assert.deepEqual(codes(refused), ['NOT_ELIGIBLE']);
  const tried = { collectionId: ids.collection.deep, assetIds: assetIds('count'), dryRun: true };
  assert.deepEqual(codes(await commit(add, { input: tried, connections: [deep.id] })), []);
  assert.deepEqual(deep.read().data, before);
  await deep.assertFresh();
});

test('a removal deletes edges, and its undo restores them', async () => {
  signIn('olu');
  const open = await assetsOf('open');
  const input = { collectionId: ids.collection.open, assetIds: assetIds('junk', 'kept') };
  const removed = await commit(remove, { input, connections: [open.id] });
  assert.deepEqual(open.names(), ['lens', 'hidden', 'align', 'blast', 'count']);
  await open.assertFresh();
  const changes = { removedFrom: [open.id], addedTo: [open.id] };
  await commit(undo, { input: { changeId: removed.change.id }, ...changes });
  assert.deepEqual(open.names().slice(-2), ['junk', 'kept']);
  await open.assertFresh();
});

test('an undo that restores assets to the middle appends them, until the list is loaded again', async () => {
  signIn('olu');
  const open = await assetsOf('open');
  const input = { collectionId: ids.collection.open, assetIds: assetIds('align') };
  const removed = await commit(remove, { input, connections: [open.id] });
  await commit(undo, { input: { changeId: removed.change.id }, removedFrom: [open.id], addedTo: [open.id] });
  assert.deepEqual(open.names(), ['lens', 'hidden', 'blast', 'count', 'junk', 'kept', 'align']);
  await open.load();
  assert.deepEqual(open.names(), ['lens', 'hidden', 'align', 'blast', 'count', 'junk', 'kept']);
  await open.assertFresh();
});

test('an optimistic response changes the list at once, and the response takes its place', async () => {
  signIn('olu');
  const open = await assetsOf('open');
  const without = open.names().filter((name) => name !== 'blast');
  const removal = commit(
    remove,
    { input: { collectionId: ids.collection.open, assetIds: assetIds('blast', 'lens') }, connections: [open.id] },
    {
      collectionAssetsRemove: {
        collection: { id: ids.collection.open, assetCounts: { total: 5, dataAssets: 2 } },
        removedAssetIds: assetIds('blast', 'lens'),
        change: null,
        userErrors: [],
      },
    },
  );
  assert.deepEqual(open.names(), without.filter((name) => name !== 'lens'));
  assert.deepEqual(codes(await removal), ['NOT_OWNER'], 'lens is not the viewer\'s');
  assert.ok(open.names().includes('lens') && open.names().includes('blast'));
  await open.assertFresh();
});

test('a move changes both lists, and so does its undo', async () => {
  signIn('olu');
  const [members, bare] = [await assetsOf('members'), await assetsOf('bare')];
  const where = { fromCollectionId: ids.collection.members, toCollectionId: ids.collection.bare };
  const input = { ...where, assetIds: assetIds('count', 'align') };
  const moved = await commit(move, { input, from: [members.id], to: [bare.id] });
  assert.deepEqual(codes(moved), []);
  assert.deepEqual([members.names(), bare.names()], [MEMBERS, ['genomes', 'blast', 'count', 'align']]);
  await members.assertFresh();
  await bare.assertFresh();
  const undone = { input: { changeId: moved.change.id }, removedFrom: [bare.id], addedTo: [members.id] };
  assert.deepEqual(codes(await commit(undo, undone)), []);
  assert.deepEqual([members.names(), bare.names()], [[...MEMBERS, 'count', 'align'], ['genomes', 'blast']]);
  await members.assertFresh();
  await bare.assertFresh();
});

test('the button "Add to Collection" updates the collections of an asset', async () => {
  signIn('olu');
  const collections = await collectionsWith('explore', 'open');
  assert.deepEqual([collections.read().data.node.isIn, collections.names()], [false, ['inner']]);
  const input = {
    assetId: ids.asset.explore,
    addTo: [ids.collection.open, ids.collection.members],
    removeFrom: [],
  };
  const variables = { collectionId: ids.collection.open, connections: [collections.id] };
  assert.deepEqual(codes(await commit(updateAssetCollections, { input, ...variables })), []);
  assert.deepEqual([collections.read().data.node.isIn, collections.names()], [true, ['inner', 'members', 'open']]);
  await collections.assertFresh();
  const back = { assetId: ids.asset.explore, removeFrom: [ids.collection.open, ids.collection.inner] };
  assert.deepEqual(codes(await commit(updateAssetCollections, { input: back, ...variables })), []);
  assert.deepEqual([collections.read().data.node.isIn, collections.names()], [false, ['members']]);
  await collections.assertFresh();
});

test('a deleted collection leaves every list, and its children have their new parent', async () => {
  signIn('ada');
  const collections = await collectionsOf('imaging');
  assert.deepEqual(collections.names(), ['open', 'inner', 'deep']);
  const variables = { input: { id: ids.collection.inner }, connections: [collections.id] };
  assert.deepEqual(codes(await commit(deleteCollection, variables)), []);
  assert.deepEqual(collections.names(), ['open', 'deep']);
  assert.equal(environment.getStore().getSource().get(ids.collection.inner), null);
  await collections.assertFresh();
});

test('merged topics leave the list, and their collections are appended', async () => {
  signIn('ada');
  const [all, genomics] = [await topics(), await collectionsOf('genomics')];
  const input = { sourceIds: [ids.topic.imaging, ids.topic.empty], targetId: ids.topic.genomics };
  const merged = await commit(mergeTopics, { input, topics: [all.id], collections: [genomics.id] });
  assert.deepEqual([codes(merged), all.names()], [[], ['genomics']]);
  assert.deepEqual(genomics.names(), ['members', 'bare', 'open', 'deep']);
  await all.assertFresh();
  await genomics.assertFresh();
});

test('errors have codes', async () => {
  signIn('olu');
  const input = { sourceIds: [ids.topic.genomics], targetId: ids.topic.genomics };
  const refused = await commit(mergeTopics, { input, topics: [], collections: [] }).catch(codesOf);
  assert.deepEqual(refused, ['FORBIDDEN']);
  const unknown = createEnvironment(url, 'atoll_unknown');
  const failed = await fetchQuery(unknown, topicsQuery, { first: PAGE }).toPromise().catch(codesOf);
  assert.deepEqual(failed, ['UNAUTHENTICATED']);
});
