// A gateway in front of Atoll and a subgraph of reviews. Reads JSON from the standard input: the URL of Atoll, the
// reviews, and requests, each with a query and an Authorization header or null. Prints the errors and hints of the
// composition, the supergraph, and the response to each request, as JSON.

import { readFileSync } from 'node:fs';
import { composeServices } from '@apollo/composition';
import { ApolloGateway, LocalGraphQLDataSource, RemoteGraphQLDataSource } from '@apollo/gateway';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';

const { url, reviews, requests } = JSON.parse(readFileSync(0, 'utf8'));

class Atoll extends RemoteGraphQLDataSource {
  willSendRequest({ request, context }) {
    if (context.authorization) request.http.headers.set('authorization', context.authorization);
  }
}

const reference = (__typename, id) => id && { __typename, id };
const starsOf = (field) => ({ id }) => reviews.filter((review) => review[field] === id).map(({ stars }) => stars);
const reviewsDocument = parse(readFileSync(new URL('reviews.graphql', import.meta.url), 'utf8'));
const reviewsSchema = buildSubgraphSchema({
  typeDefs: reviewsDocument,
  resolvers: {
    Query: { reviews: () => ({ nodes: reviews, pageInfo: { hasNextPage: false, hasPreviousPage: false } }) },
    Review: {
      asset: ({ asset }) => reference('AssetFields', asset),
      author: ({ author }) => reference('User', author),
      collection: ({ collection }) => reference('Collection', collection),
    },
    AssetFields: { stars: starsOf('asset') },
    Collection: { stars: starsOf('collection') },
  },
});

async function readSdl() {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ _service { sdl } }' }),
  });
  return (await response.json()).data._service.sdl;
}

async function execute(gateway, schema, { query, authorization }) {
  const response = await gateway.executor({
    request: { query },
    document: parse(query),
    queryHash: query,
    schema,
    context: { authorization },
    cache: new Map(),
    logger: console,
    metrics: {},
    overallCachePolicy: { restrict() {} },
  });
  return { data: response.data, errors: response.errors ?? [] };
}

const { errors = [], hints = [], supergraphSdl } = composeServices([
  { name: 'atoll', url, typeDefs: parse(await readSdl()) },
  { name: 'reviews', url: 'http://127.0.0.1/reviews', typeDefs: reviewsDocument },
]);
const output = { errors: errors.map(String), hints: hints.map(String), supergraph: supergraphSdl, responses: [] };
if (supergraphSdl) {
  const logger = { debug() {}, info() {}, warn: console.error, error: console.error };
  const gateway = new ApolloGateway({
    supergraphSdl,
    logger,
    buildService: ({ name }) => (name === 'atoll' ? new Atoll({ url }) : new LocalGraphQLDataSource(reviewsSchema)),
  });
  const { schema } = await gateway.load();
  for (const request of requests) output.responses.push(await execute(gateway, schema, request));
  await gateway.stop();
}
process.stdout.write(JSON.stringify(output));
