import {
  ApolloClient,
  type ApolloCache,
  ApolloLink,
  CombinedGraphQLErrors,
  type FieldPolicy,
  HttpLink,
  InMemoryCache,
  type Reference,
  type TypePolicies,
} from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { CollectionChangedDocument } from './gql/graphql.js';
import { createReload, type SubscriptionClient } from './live.js';
import { possibleTypes } from './possible_types.js';

interface Edge {
  __typename?: string;
  cursor?: string;
  node: Reference;
}

interface Pages {
  edges: Edge[];
  pageInfo?: { endCursor: string; hasNextPage: boolean };
}

/** A list whose pages join. Loading its first page again keeps the pages after it. */
function list(...keyArgs: string[]): FieldPolicy {
  const pages = relayStylePagination((args) => keyArgs.filter((name) => args?.[name] != null));
  const join = pages.merge as (...parameters: unknown[]) => Pages;
  return {
    ...pages,
    merge(loaded: Pages | undefined, page: Pages, options) {
      const joined = join(loaded, page, options);
      const { after, before, last } = options.args ?? {};
      const end = page?.edges?.at(-1);
      if (!loaded || !end || after || before || last) return joined;
      const place = loaded.edges.findIndex(({ node }) => node.__ref === end.node.__ref);
      const first = new Set(joined.edges.map(({ node }) => node.__ref));
      const rest = place < 0 ? [] : loaded.edges.slice(place + 1).filter(({ node }) => !first.has(node.__ref));
      if (!rest.length) return joined;
      const { endCursor, hasNextPage } = loaded.pageInfo!;
      return { ...joined, edges: [...joined.edges, ...rest], pageInfo: { ...joined.pageInfo, endCursor, hasNextPage } };
    },
  };
}

const assets = ['filter', 'query', 'orderBy'];
const collections = ['filter', 'query', 'orderBy'];
const merged = { merge: true };

export const typePolicies: TypePolicies = {
  // One object each: components with different fields share it, also without its id.
  Deployment: { keyFields: [] },
  Viewer: {
    keyFields: [],
    fields: {
      assets: list(...assets),
      collections: list('query', 'assetId'),
      groups: list(),
      jobs: list('statuses'),
      tokens: list(),
    },
  },

  // Objects without an id: their fields are merged.
  AssetCounts: merged,
  AssetFacets: merged,
  CollectionViewerCan: merged,
  GoldStandard: merged,
  Limits: merged,
  TopicViewerCan: merged,

  Query: {
    fields: {
      assets: list(...assets),
      auditLog: list('filter'),
      collections: list(...collections),
      groups: list('query'),
      topics: list('query'),
      users: list('query', 'filter'),
    },
  },
  AssetFields: { fields: { collections: list(), usedBy: list(), uses: list() } },
  Change: { fields: { assets: list() } },
  Collection: {
    fields: {
      addableAssets: list(...assets, 'excludeMembers'),
      assets: list(...assets, 'includeDescendants'),
      children: list(...collections),
      history: list(),
    },
  },
  Group: { fields: { members: list() } },
  Job: { fields: { results: list('onlyFailed') } },
  Topic: { fields: { collections: list(...collections), history: list() } },
};

export function createClient(uri: string, token?: string, subscriptions?: SubscriptionClient): ApolloClient {
  const http = new HttpLink({ uri, headers: token ? { authorization: `Bearer ${token}` } : {} });
  return new ApolloClient({
    cache: new InMemoryCache({ possibleTypes, typePolicies }),
    link: subscriptions ? withSubscriptions(http, subscriptions) : http,
  });
}

const withSubscriptions = (http: ApolloLink, subscriptions: SubscriptionClient) =>
  ApolloLink.split(
    ({ operationType }) => operationType === 'subscription',
    new GraphQLWsLink(subscriptions as never),
    http,
  );

/** Appends the edges that a mutation added to the collection's list. Lists in other orders are loaded again. */
export function appendEdges(cache: ApolloCache, collectionId: string, added: readonly { node: { id?: string } }[]): void {
  cache.modify<{ assets: Pages }>({
    id: cache.identify({ __typename: 'Collection', id: collectionId }),
    fields: {
      assets(loaded, { DELETE, storeFieldName, toReference }) {
        if (!isDefault(storeFieldName)) return DELETE;
        const pages = loaded as Pages;
        const edges = added.map((edge) => ({ ...edge, node: toReference(edge.node)! }));
        return { ...pages, edges: [...pages.edges, ...edges] };
      },
    },
  });
}

/** Deletes the assets that a mutation removed from all lists of the collection. */
export function deleteEdges(cache: ApolloCache, collectionId: string, removedIds: readonly string[]): void {
  cache.modify<{ assets: Pages }>({
    id: cache.identify({ __typename: 'Collection', id: collectionId }),
    fields: {
      assets(loaded, { readField }) {
        const pages = loaded as Pages;
        return { ...pages, edges: pages.edges.filter(({ node }) => !removedIds.includes(readField('id', node)!)) };
      },
    },
  });
}

/** Changes the collection's list by events until the returned function is called. `load` reads the list again. */
export function followCollection(client: ApolloClient, id: string, load: () => Promise<unknown>): () => void {
  const { cache } = client;
  const reload = createReload(() => {
    cache.evict({ id: cache.identify({ __typename: 'Collection', id })!, fieldName: 'assets', broadcast: false });
    return load();
  });
  const events = client.subscribe({ query: CollectionChangedDocument, variables: { id } });
  const subscription = events.subscribe(({ data }) => {
    const event = data?.collectionChanged;
    if (!event) return;
    deleteEdges(cache, id, [...event.removedAssetIds, ...event.addedEdges.map(({ node }) => node.id)]);
    appendEdges(cache, id, event.addedEdges);
    cache.gc();
    void reload(event.reload);
  });
  return () => subscription.unsubscribe();
}

const isDefault = (storeFieldName: string) => storeFieldName === 'assets' || storeFieldName === 'assets:{}';

/** Returns the codes of a failed operation's errors. */
export function codesOf(error: unknown): unknown[] {
  return CombinedGraphQLErrors.is(error) ? error.errors.map(({ extensions }) => extensions?.code) : [];
}
