// Subscriptions of graphql-ws, graphql-sse, Apollo Client, urql and Relay: the lists of two viewers follow other users'
// writes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { print } from 'graphql';
import relay from 'relay-runtime';
import WebSocket from 'ws';
import * as apollo from './apollo.js';
import { assertFollows, shown, write } from './follow.mjs';
import { CollectionChangedDocument, CollectionPageDocument } from './gql/graphql.js';
import { applyEvent, connectSocket, connectStream, createReload, resuming } from './live.js';
import pageQuery from './relay/__generated__/collectionsPageQuery.graphql.js';
import { createEnvironment } from './relay/environment.js';
import { followCollection as followInRelay } from './relay/live.js';
import { assertFollowsTree } from './tree.mjs';
import * as urql from './urql.js';
import { eventually, readIds, request, tokenOf, url } from './world.mjs';

const { ConnectionHandler, createOperationDescriptor, fetchQuery, getRequest } = relay;
const variables = { slug: 'members', first: 100 };
const socket = (address, who) => connectSocket(address, () => tokenOf(who), WebSocket);
const stream = (address, who) => connectStream(address, () => tokenOf(who));

// Without a cache: loads the list when an event says so, and applies the others, one after the other.
async function followPlainly(who, subscriptions, id) {
  const load = async () => (await request(who, print(CollectionPageDocument), variables)).collection;
  let collection = await load();
  let applied = Promise.resolve();
  const apply = async (event) => {
    const edges = applyEvent(collection.assets.edges, event);
    collection = event.reload ? await load() : { ...event.collection, assets: { edges } };
  };
  const next = ({ data }) => (applied = applied.then(() => apply(data.collectionChanged)));
  const sink = { next, error: console.error, complete() {} };
  const stop = subscriptions.subscribe({ query: print(CollectionChangedDocument), variables: { id } }, sink);
  return { shown: () => shown(collection), dump: () => JSON.stringify(collection), stop };
}

test('a list is loaded again after an event that came while it was loading, and after a failure', async (t) => {
  const logged = t.mock.method(console, 'error', () => {});
  const loads = [];
  const reload = createReload(() => new Promise((resolve, reject) => loads.push({ resolve, reject })));
  await reload(false);
  assert.equal(loads.length, 0);
  const loaded = reload(true);
  reload(false);
  loads[0].resolve();
  await eventually(() => assert.equal(loads.length, 2));
  loads[1].reject('unreachable');
  await loaded;
  assert.deepEqual(logged.mock.calls.map((call) => call.arguments), [['unreachable']]);
  const repeated = reload(false);
  assert.equal(loads.length, 3);
  loads[2].resolve();
  await repeated;
  await reload(false);
  assert.equal(loads.length, 3);
});

test('graphql-ws', () => assertFollows(socket, followPlainly));

test('graphql-sse', () => assertFollows(stream, followPlainly));

test('the tree by graphql-ws', () => assertFollowsTree(socket));

test('the tree by graphql-sse', () => assertFollowsTree(stream));

// Follows an export until the server ends the subscription, and downloads the file.
async function assertExport(connectClient) {
  const mutation = 'mutation { exportCreate(input: { format: JSONL }) { job { id } } }';
  const { id } = (await request('mei', mutation)).exportCreate.job;
  const query = 'subscription($id: ID!) { jobUpdated(id: $id) { status done total downloadUrl } }';
  const jobs = [];
  await new Promise((resolve, reject) => {
    const sink = { next: ({ data }) => jobs.push(data.jobUpdated), error: reject, complete: resolve };
    connectClient(url, 'mei').subscribe({ query, variables: { id } }, sink);
  });
  const { status, done, total, downloadUrl } = jobs.at(-1);
  assert.deepEqual([status, done], ['SUCCEEDED', total]);
  const headers = { authorization: `Bearer ${tokenOf('mei')}` };
  const lines = (await (await fetch(new URL(downloadUrl, url), { headers })).text()).trim().split('\n');
  assert.equal(lines.length, total);
}

test('a job by graphql-ws', () => assertExport(socket));

test('a job by graphql-sse', () => assertExport(stream));

test('Apollo Client', () =>
  assertFollows(socket, async (who, subscriptions, id) => {
    const client = apollo.createClient(url, tokenOf(who), subscriptions);
    const page = client.watchQuery({ query: CollectionPageDocument, variables });
    const watch = page.subscribe(() => {});
    const unfollow = apollo.followCollection(client, id, () => page.refetch());
    return {
      shown: () => shown(page.getCurrentResult().data.collection),
      dump: () => JSON.stringify(client.cache.extract()),
      stop: () => (unfollow(), watch.unsubscribe()),
    };
  }));

test('urql', () =>
  assertFollows(stream, async (who, subscriptions, id) => {
    const client = urql.createClient(url, tokenOf(who), { subscriptions });
    let data;
    const watch = client.query(CollectionPageDocument, variables).subscribe((result) => ({ data } = result));
    const options = { requestPolicy: 'network-only' };
    const load = () => client.query(CollectionPageDocument, variables, options).toPromise();
    const unfollow = urql.followCollection(client, id, load);
    return {
      shown: () => shown(data.collection),
      dump: () => JSON.stringify(client.readQuery(CollectionPageDocument, variables).data),
      stop: () => (unfollow(), watch.unsubscribe()),
    };
  }));

test('Relay', () =>
  assertFollows(socket, async (who, subscriptions, id) => {
    const environment = createEnvironment(url, tokenOf(who), subscriptions);
    const operation = createOperationDescriptor(getRequest(pageQuery), variables);
    const { dispose } = environment.retain(operation);
    const load = () => fetchQuery(environment, pageQuery, variables).toPromise();
    const connectionId = ConnectionHandler.getConnectionID(id, 'Collection_assets');
    const unfollow = followInRelay(environment, id, connectionId, load);
    return {
      shown: () => shown(environment.lookup(operation.fragment).data.collection),
      // Relay keeps the pages as they were loaded beside the connection, which is what the page shows.
      dump: () => JSON.stringify(environment.lookup(operation.fragment).data),
      stop: () => (unfollow(), dispose()),
    };
  }));

test('Relay leaves added edges to a page that is not loaded yet', async () => {
  const subscriptions = resuming(socket(url, 'mei'));
  const environment = createEnvironment(url, tokenOf('mei'), subscriptions);
  const operation = createOperationDescriptor(getRequest(pageQuery), { slug: 'open', first: 3 });
  const { dispose } = environment.retain(operation);
  const read = () => environment.lookup(operation.fragment).data.collection;
  const load = (after) => fetchQuery(environment, pageQuery, { slug: 'open', first: 3, after }).toPromise();
  const { asset, collection } = await readIds();
  let loads = 0;
  const connectionId = ConnectionHandler.getConnectionID(collection.open, 'Collection_assets');
  const unfollow = followInRelay(environment, collection.open, connectionId, () => load().then(() => (loads += 1)));
  try {
    await eventually(() => assert.deepEqual([loads, shown(read()).total], [1, 4]));
    await write('olu', 'collectionAssetsAdd', { collectionId: collection.open, assetIds: [asset.explore] });
    await eventually(() => assert.equal(shown(read()).total, 5));
    assert.deepEqual(shown(read()).names, ['lens', 'align', 'blast']);
    await load(read().assets.pageInfo.endCursor);
    assert.deepEqual(shown(read()).names, ['lens', 'align', 'blast', 'count', 'explore']);
    assert.equal(loads, 1);
  } finally {
    unfollow();
    dispose();
  }
});
