// A follower of the tree of topics and collections: a store that applies the events, compared with a fresh tree.

import assert from 'node:assert/strict';
import { startProxy, write } from './follow.mjs';
import { resuming } from './live.js';
import { eventually, readIds, request } from './world.mjs';

const COLLECTION = 'id name topic { id } parent { id }';
const TREE = `{ topics { nodes { id name } } collections(first: 100) { nodes { ${COLLECTION} } } }`;
const CHANGED = `subscription($after: String) { topicTreeChanged(after: $after) {
  cursor reload topics { id name } collections { ${COLLECTION} } removedIds } }`;

const parentOf = ({ topic, parent }) => (parent ?? topic ?? { id: null }).id;

// Items by id. Those with the same parent are in their order.
const itemsOf = (nodes) => new Map(nodes.map((node) => [node.id, node]));

async function loadTree(who) {
  const { topics, collections } = await request(who, TREE);
  return itemsOf([...topics.nodes, ...collections.nodes]);
}

// Items that are new, or have another parent, come last; others keep their place.
function applyEvent(items, { topics, collections, removedIds }) {
  removedIds.forEach((id) => items.delete(id));
  for (const item of [...topics, ...collections]) {
    const before = items.get(item.id);
    if (before && parentOf(before) !== parentOf(item)) items.delete(item.id);
    items.set(item.id, item);
  }
}

// Names in their order, with those of the children.
function namesOf(items, id = null) {
  const children = [...items.values()].filter((item) => parentOf(item) === id);
  return children.map((child) => [child.name, namesOf(items, child.id)]);
}

// Compares the trees of two viewers with the server while an administrator writes.
export async function assertFollowsTree(connectClient) {
  const proxy = await startProxy();
  const reloads = [];
  const follow = async (who) => {
    let items = await loadTree(who);
    let applied = Promise.resolve();
    const apply = async (event) => {
      reloads.push(event.reload);
      if (event.reload) items = await loadTree(who);
      else applyEvent(items, event);
    };
    const next = ({ data }) => (applied = applied.then(() => apply(data.topicTreeChanged)));
    const sink = { next, error: console.error, complete() {} };
    const stop = resuming(connectClient(proxy.url, who)).subscribe({ query: CHANGED }, sink);
    return { shown: () => namesOf(items), stop };
  };
  const viewers = ['mei', 'ada'];
  const followers = await Promise.all(viewers.map(follow));
  const assertFresh = async () => {
    const fresh = await Promise.all(viewers.map(async (who) => namesOf(await loadTree(who))));
    await eventually(() => assert.deepEqual(followers.map(({ shown }) => shown()), fresh));
    return fresh;
  };
  const change = (mutation, input) => write('ada', mutation, input);
  try {
    await assertFresh();
    await eventually(() => assert.deepEqual(reloads, [true, true]));
    reloads.length = 0;
    const [before] = await assertFresh();
    await change('topicCreate', { name: 'Followed' });
    const topicId = (await readIds()).topic.followed;
    await change('collectionCreate', { topicId, name: 'First' });
    await change('collectionCreate', { topicId, name: 'Second' });
    await change('topicUpdate', { id: topicId, name: 'Renamed' });
    const [now] = await assertFresh();
    assert.deepEqual(now, [...before, ['Renamed', [['First', []], ['Second', []]]]]);
    const { first, second } = (await readIds()).collection;

    proxy.drop();
    await change('collectionUpdate', { id: first, parentId: second });
    await assertFresh();
    assert.ok(!reloads.includes(true), 'subscriptions resume without loading the tree');

    await change('collectionUpdate', { id: first, parentId: null });
    await change('collectionReorder', { id: first, position: { atStart: true } });
    await assertFresh();
    await change('collectionDelete', { id: second });
    await change('collectionDelete', { id: first });
    await change('topicDelete', { id: topicId });
    assert.deepEqual((await assertFresh())[0], before);
  } finally {
    followers.forEach(({ stop }) => stop());
    await proxy.stop();
  }
}
