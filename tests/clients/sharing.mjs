// Components that show different fields of the same objects: the viewer, the deployment, a collection.

import assert from 'node:assert/strict';
import * as documents from './gql/graphql.js';
import { eventually, settle } from './world.mjs';

export async function assertEachAsksOnce(watch, requests) {
  const shown = [
    watch(documents.ViewerNameDocument),
    watch(documents.ViewerRoleDocument),
    watch(documents.VersionDocument),
    watch(documents.SharingDocument),
    watch(documents.CollectionPageDocument, { slug: 'open', first: 3 }),
    watch(documents.CollectionCountsDocument, { slug: 'open' }),
  ];
  await eventually(() => shown.forEach(({ data }) => assert.ok(data)));
  await settle();
  assert.equal(requests.length, shown.length);
  const [name, role, version, sharing, page, counts] = shown.map(({ data }) => data);
  assert.deepEqual([name.viewer.user.name, role.viewer.isAdmin], ['olu', false]);
  assert.deepEqual([version.deployment.limits.pageSize, sharing.deployment.limits.bulkItems > 0], [100, true]);
  assert.deepEqual([page.collection.assetCounts.total, counts.collection.assetCounts.capsules], [7, 2]);
}
