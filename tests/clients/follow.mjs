// Followers of a collection: the writes that they follow, a proxy that drops their connections, and their comparison
// with what the server answers.

import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { resuming } from './live.js';
import { eventually, readIds, request, url } from './world.mjs';

// Passes connections on to the server until they are dropped.
export async function startProxy() {
  const sockets = new Set();
  const proxy = createServer((client) => {
    const server = connect(new URL(url).port, '127.0.0.1');
    for (const [from, to] of [[client, server], [server, client]]) {
      sockets.add(from);
      from.on('data', (data) => to.write(data)).on('error', () => {}).on('close', () => to.destroy());
    }
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const drop = () => sockets.forEach((socket) => socket.destroy());
  const stop = () => {
    drop();
    return new Promise((resolve) => proxy.close(resolve));
  };
  return { url: `http://127.0.0.1:${proxy.address().port}/graphql`, drop, stop };
}

const PAGE = `{ collection(by: { slug: "members" }) {
  name assetCounts { total } assets(first: 100) { edges { node { ... on AssetFields { name } } } } } }`;

export const shown = ({ name, assetCounts, assets }) => ({
  name,
  total: assetCounts.total,
  names: assets.edges.map(({ node }) => node.name),
});

const read = async (who) => shown((await request(who, PAGE)).collection);

export async function write(who, mutation, input) {
  const type = `${mutation[0].toUpperCase()}${mutation.slice(1)}Input`;
  const payload = await request(
    who,
    `mutation($input: ${type}!) { ${mutation}(input: $input) { userErrors { code message } } }`,
    { input },
  );
  assert.deepEqual(payload[mutation].userErrors, []);
}

const MEMBERS = ['blast', 'genomes', 'images', 'hidden'];
const VIEWERS = ['mei', 'ada'];

// Compares followers of two viewers with the server after writes by others. `follow` takes the viewer, a client of
// subscriptions and the collection's id. It returns `shown()`, the collection as the follower has it, `dump()`, the
// content of its store, and `stop()`.
export async function assertFollows(connectClient, follow) {
  const ids = await readIds();
  const collectionId = ids.collection.members;
  const assets = (names) => ({ assetIds: names.map((name) => ids.asset[name]) });
  const add = (...names) => write('olu', 'collectionAssetsAdd', { collectionId, ...assets(names) });
  const remove = (...names) => write('olu', 'collectionAssetsRemove', { collectionId, ...assets(names) });
  const moveTo = (slug, ...names) => {
    const places = { fromCollectionId: collectionId, toCollectionId: ids.collection[slug] };
    return write('olu', 'collectionAssetsMove', { ...places, ...assets(names) });
  };
  const rename = (name) => write('ada', 'collectionUpdate', { id: collectionId, name });
  const share = (change) => write('olu', 'assetGrantsUpdate', { assetId: ids.asset.genomes, ...change });
  const { groups } = await request('ada', '{ groups { nodes { id name } } }');
  const lab = { groupId: groups.nodes.find(({ name }) => name === 'lab').id };

  await remove(...(await read('ada')).names);
  await add(...MEMBERS);
  await rename('members');
  await share({ set: [{ to: lab, access: 'VIEWER' }] });

  const proxy = await startProxy();
  const reloads = [];
  const followers = await Promise.all(
    VIEWERS.map((who) => follow(who, resuming(recordReloads(connectClient(proxy.url, who), reloads)), collectionId)),
  );
  const [mei, ada] = followers;
  const assertFresh = async () => {
    const fresh = await Promise.all(VIEWERS.map((who) => read(who)));
    await eventually(() => assert.deepEqual(followers.map((follower) => follower.shown()), fresh));
    return fresh;
  };
  try {
    assert.deepEqual((await assertFresh()).map(({ names }) => names), [MEMBERS.slice(0, 3), MEMBERS]);
    await eventually(() => assert.deepEqual(reloads, [true, true]));
    reloads.length = 0;
    await add('align', 'count');
    await assertFresh();
    await remove('blast');
    await assertFresh();
    await moveTo('bare', 'align', 'images');
    await rename('Renamed');
    assert.deepEqual(await assertFresh(), [
      { name: 'Renamed', total: 2, names: ['genomes', 'count'] },
      { name: 'Renamed', total: 3, names: ['genomes', 'hidden', 'count'] },
    ]);

    assert.match(mei.dump(), /"genomes"/);
    await share({ revoke: [lab] });
    await assertFresh();
    await eventually(() => assert.doesNotMatch(mei.dump(), /"genomes"/));
    assert.match(ada.dump(), /"genomes"/);

    proxy.drop();
    await add('align', 'blast');
    await remove('count', 'genomes');
    await add('genomes'); // is at another place then
    await assertFresh();
    assert.ok(!reloads.includes(true), 'subscriptions resume without loading the list');

    await share({ set: [{ to: lab, access: 'VIEWER' }] });
    const position = { atStart: true };
    await write('ada', 'collectionAssetsReorder', { collectionId, ...assets(['blast']), position });
    await assertFresh();
    for (let times = 2; times; times -= 1) {
      await add('explore', 'count');
      await remove('align');
      await moveTo('bare', 'count', 'blast');
      await add('align', 'blast');
      if (times === 2) proxy.drop();
      await remove('explore');
    }
    await assertFresh();
  } finally {
    followers.forEach(({ stop }) => stop());
    await proxy.stop();
  }
}

const recordReloads = ({ subscribe }, reloads) => ({
  subscribe: (payload, sink) =>
    subscribe(payload, {
      ...sink,
      next(result) {
        reloads.push(result.data.collectionChanged.reload);
        sink.next(result);
      },
    }),
});
