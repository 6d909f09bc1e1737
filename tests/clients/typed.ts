// Uses of the types that GraphQL Code Generator made. Each line after `@ts-expect-error` has a mistake that the types find.

import { type DocumentNode, print } from 'graphql';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { AssetsDocument, CollectionPageDocument, RegisterAssetsDocument } from './gql/graphql.js';

type Send = <Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables) => Promise<Data>;

/** Returns the body of a request: with the id of a trusted document, where the preset wrote ids, or with the text. */
export function createBody(document: DocumentNode & { __meta__?: { hash?: string } }, variables: unknown) {
  const documentId = document.__meta__?.hash;
  return documentId ? { documentId, variables } : { query: print(document), variables };
}

export function createSend(post: (body: object) => Promise<unknown>): Send {
  return (document, variables) => post(createBody(document, variables)) as never;
}

export async function readNames(send: Send): Promise<string[]> {
  const { assets } = await send(AssetsDocument, { first: 3, filter: { kinds: ['CAPSULE', 'PIPELINE'] } });
  // @ts-expect-error a field that can be refused may be null
  assets.totalCount satisfies number;
  // @ts-expect-error an unknown value of an enum
  (): unknown => send(AssetsDocument, { first: 3, filter: { kinds: ['SPREADSHEET'] } });
  // @ts-expect-error a required variable is missing
  (): unknown => send(AssetsDocument, {});
  return assets?.edges.map(({ node }) => node.name) ?? [];
}

export async function readCreationTime(send: Send, slug: string): Promise<number | undefined> {
  const { collection } = await send(CollectionPageDocument, { slug, first: 1 });
  // @ts-expect-error a field that the document does not select
  void collection?.description;
  return collection ? Date.parse(collection.createdAt) : undefined;
}

export async function registerData(send: Send, ownerId: string, sizeBytes: number) {
  const asset = { externalId: 'large', kind: 'DATA_ASSET' as const, name: 'large', ownerId, sizeBytes };
  const { assetsRegister } = await send(RegisterAssetsDocument, { input: { assets: [asset] } });
  const registered = assetsRegister?.results[0]?.asset;
  return registered && 'sizeBytes' in registered ? registered.sizeBytes : undefined;
}

export async function registerNothing(send: Send): Promise<string[]> {
  const { assetsRegister } = await send(RegisterAssetsDocument, { input: { assets: [] } });
  return assetsRegister?.userErrors.map(({ code }) => code) ?? [];
}
