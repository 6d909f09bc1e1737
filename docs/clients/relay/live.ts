import {
  ConnectionHandler,
  type Environment,
  type RecordSourceSelectorProxy,
  requestSubscription,
} from 'relay-runtime';
import { createReload } from '../live.js';
import subscription, { type collectionsChangedSubscription } from './__generated__/collectionsChangedSubscription.graphql.js';

/** Changes the connection by events until the returned function is called. `load` reads the list again. */
export function followCollection(
  environment: Environment,
  id: string,
  connectionId: string,
  load: () => Promise<unknown>,
): () => void {
  const reload = createReload(load);
  return requestSubscription<collectionsChangedSubscription>(environment, {
    subscription,
    variables: { id },
    updater: (store) => updateConnection(store, connectionId),
    onNext: (data) => void reload(Boolean(data?.collectionChanged?.reload)),
  }).dispose;
}

/** Deletes and appends edges. Where a later page is not loaded yet, added edges come with it. */
function updateConnection(store: RecordSourceSelectorProxy, connectionId: string): void {
  const connection = store.get(connectionId);
  const event = store.getRootField('collectionChanged');
  if (!connection || !event) return;
  const added = event.getLinkedRecords('addedEdges') ?? [];
  const addedIds = added.map((edge) => edge.getLinkedRecord('node')!.getDataID());
  const removedIds = event.getValue('removedAssetIds') as string[];
  for (const id of [...removedIds, ...addedIds]) ConnectionHandler.deleteNode(connection, id);
  if (connection.getLinkedRecord('pageInfo')?.getValue('hasNextPage')) return;
  for (const edge of added) {
    const own = ConnectionHandler.buildConnectionEdge(store, connection, edge);
    if (own) ConnectionHandler.insertEdgeAfter(connection, own);
  }
}
