import { type Cache, cacheExchange, type Resolver } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { Client, type CombinedError, fetchExchange, subscriptionExchange } from '@urql/core';
import { CollectionChangedDocument } from './gql/graphql.js';
import { introspection } from './introspection.js';
import { createReload, type SubscriptionClient } from './live.js';

const list: Resolver = relayPagination();
const listsOfAsset = { collections: list, usedBy: list, uses: list };

export const resolvers = {
  Query: { assets: list, auditLog: list, collections: list, groups: list, topics: list, users: list },
  Change: { assets: list },
  Collection: { addableAssets: list, assets: list, children: list, history: list },
  Group: { members: list },
  Job: { results: list },
  Topic: { collections: list, history: list },
  Viewer: { assets: list, collections: list, groups: list, jobs: list, tokens: list },
  // graphcache takes no resolvers of interfaces.
  Capsule: listsOfAsset,
  DataAsset: listsOfAsset,
  Model: listsOfAsset,
  NoCodeApp: listsOfAsset,
  Pipeline: listsOfAsset,
};

const noKey = () => null;

interface TypeOfSchema {
  kind: string;
  name: string;
  fields?: { name: string }[];
}

/** Types without an id are stored in the object that has them. */
const keys = Object.fromEntries(
  (introspection.__schema.types as TypeOfSchema[])
    .filter(({ kind, fields }) => kind === 'OBJECT' && !fields?.some(({ name }) => name === 'id'))
    .map(({ name }) => [name, noKey]),
);

const collectionOf = (input: unknown) => (input as { collectionId: string }).collectionId;

/** Loads the collection's lists of assets again where they are shown. */
function reloadAssets(cache: Cache, collectionId: string): void {
  const collection = { __typename: 'Collection', id: collectionId };
  for (const { fieldName, arguments: args } of cache.inspectFields(collection)) {
    if (fieldName === 'assets') cache.invalidate(collection, fieldName, args);
  }
}

interface Options {
  fetcher?: typeof fetch;
  subscriptions?: SubscriptionClient;
}

export function createClient(url: string, token?: string, { fetcher = fetch, subscriptions }: Options = {}): Client {
  const cache = cacheExchange({
    schema: introspection,
    // The viewer and the deployment are one object each: components share them, also without their id.
    keys: { ...keys, Deployment: () => 'deployment', Viewer: () => 'viewer' },
    resolvers,
    updates: {
      Mutation: {
        collectionAssetsAdd: (_result, { input }, cache) => reloadAssets(cache, collectionOf(input)),
        collectionAssetsRemove: (_result, { input }, cache) => reloadAssets(cache, collectionOf(input)),
      },
    },
  });
  return new Client({
    url,
    fetch: fetcher,
    preferGetMethod: false,
    exchanges: [cache, fetchExchange, ...(subscriptions ? [exchangeOf(subscriptions)] : [])],
    fetchOptions: token ? { headers: { authorization: `Bearer ${token}` } } : {},
  });
}

const exchangeOf = (client: SubscriptionClient) =>
  subscriptionExchange({
    forwardSubscription: ({ query = '', variables }) => ({
      subscribe: (sink) => ({ unsubscribe: client.subscribe({ query, variables }, sink as never) }),
    }),
  });

/** Loads the collection's list again for each event, by `load`, until the returned function is called. */
export function followCollection(client: Client, id: string, load: () => Promise<unknown>): () => void {
  const reload = createReload(load);
  const events = client.subscription(CollectionChangedDocument, { id });
  return events.subscribe(({ data }) => void (data && reload(true))).unsubscribe;
}

/** Returns the codes of a failed operation's errors. */
export function codesOf(error: CombinedError | undefined): unknown[] {
  return error?.graphQLErrors.map(({ extensions }) => extensions?.code) ?? [];
}
