import { type Cache, cacheExchange, type Resolver } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { Client, type CombinedError, fetchExchange } from '@urql/core';
import { introspection } from './introspection.js';

const list: Resolver = relayPagination();
const listsOfAsset = { collections: list, usedBy: list, uses: list };

export const resolvers = {
  Query: { assets: list, auditLog: list, collections: list, groups: list, topics: list, users: list },
  Change: { assets: list },
  Collection: { addableAssets: list, assets: list, children: list, history: list },
  Group: { members: list },
  Job: { results: list },
  Topic: { collections: list, history: list },
  Viewer: { assets: list, collections: list, groups: list, jobs: list },
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

export function createClient(url: string, token?: string, fetcher: typeof fetch = fetch): Client {
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
    exchanges: [cache, fetchExchange],
    fetchOptions: token ? { headers: { authorization: `Bearer ${token}` } } : {},
  });
}

/** Returns the codes of a failed operation's errors. */
export function codesOf(error: CombinedError | undefined): unknown[] {
  return error?.graphQLErrors.map(({ extensions }) => extensions?.code) ?? [];
}
