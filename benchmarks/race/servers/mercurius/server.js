// Mercurius on better-sqlite3, as its documentation teaches: loaders that batch, prepared statements, the token
// checked for each request. `JIT=1` compiles operations with graphql-jit.
const { createHash } = require('node:crypto');
const Fastify = require('fastify');
const mercurius = require('mercurius');
const Database = require('better-sqlite3');

const database = new Database(process.env.DATABASE, { readonly: true });
const visible = `exists (select 1 from access_grant g where g.asset_pk = a.pk
  and g.principal_pk in (select value from json_each(@principals))
  and (g.access = 4 or a.status not in ('ARCHIVED', 'WITHDRAWN')))`;
const columns = 'a.pk, a.id, a.kind, a.name, a.description, a.owner_pk, a.version, a.created_at as createdAt, a.doi';
const prepare = (sql) => database.prepare(sql);
const statements = {
  user: prepare('select user_pk from api_token where digest = ? and expires_at > ?').pluck(),
  groups: prepare('select group_pk from group_member where user_pk = ?').pluck(),
  topics: prepare('select * from topic order by rank limit ?'),
  topic: prepare('select * from topic where id = ?'),
  asset: prepare(`select ${columns} from asset a where a.id = @id and ${visible}`),
  collections: prepare('select * from collection where topic_pk = ? order by rank limit ?'),
  topLevel: prepare('select * from collection where topic_pk = ? and parent_pk is null order by rank limit ?'),
  children: prepare('select * from collection where parent_pk = ? order by rank'),
  page: prepare(`select ${columns} from membership m indexed by membership_in_order join asset a on a.pk = m.asset_pk
    where m.collection_pk = @collection and ${visible} order by m.rank limit @first`),
  named: prepare(`select ${columns} from membership m indexed by membership_in_order join asset a on a.pk = m.asset_pk
    where m.collection_pk = @collection and a.kind in (select value from json_each(@kinds)) and ${visible}
    order by a.name, a.pk limit @first`),
  owners: prepare('select pk, id, name from principal where pk in (select value from json_each(?))'),
  counts: prepare(`select m.collection_pk as collection, a.kind, count(*) as number from json_each(@collections) k
    join membership m on m.collection_pk = k.value join asset a on a.pk = m.asset_pk where ${visible} group by 1, 2`),
};

const types = { CAPSULE: 'Capsule', PIPELINE: 'Pipeline', NO_CODE_APP: 'NoCodeApp', DATA_ASSET: 'DataAsset', MODEL: 'Model' };
const countOf = { CAPSULE: 'capsules', PIPELINE: 'pipelines', NO_CODE_APP: 'noCodeApps', DATA_ASSET: 'dataAssets', MODEL: 'models' };
const none = () => ({ total: 0, ...Object.fromEntries(Object.values(countOf).map((name) => [name, 0])) });
const fields = `id: ID! kind: AssetKind! name: String! description: String version: String createdAt: String!
  doi: String owner: User`;
const schema = `
  enum AssetKind { ${Object.keys(types).join(' ')} }
  type User { id: ID! name: String! }
  interface AssetFields { ${fields} }
  ${Object.values(types).map((name) => `type ${name} implements AssetFields { ${fields} }`).join('\n')}
  union Asset = ${Object.values(types).join(' | ')}
  type AssetCounts { total: Int! ${Object.values(countOf).map((name) => `${name}: Int!`).join(' ')} }
  type Collection {
    id: ID! name: String! description: String! children: [Collection!]! assetCounts: AssetCounts!
    assets(first: Int = 20, filter: AssetFilter, orderBy: AssetOrder): [Asset!]!
  }
  type Topic { id: ID! name: String! collections(first: Int = 100, topLevelOnly: Boolean = false): [Collection!]! }
  enum AssetOrderField { NAME }
  input AssetFilter { kinds: [AssetKind!]! }
  input AssetOrder { field: AssetOrderField! }
  input Ref { id: ID }
  type Query { topic(by: Ref!): Topic topics(first: Int = 20): [Topic!]! asset(by: Ref!): Asset }`;

const resolvers = {
  Query: {
    topics: (_, { first }) => statements.topics.all(first),
    topic: (_, { by }) => statements.topic.get(by.id),
    asset: (_, { by }, { principals }) => statements.asset.get({ id: by.id, principals }),
  },
  Asset: { resolveType: (asset) => types[asset.kind] },
  AssetFields: { resolveType: (asset) => types[asset.kind] },
};
const owner = async (queries) => {
  const pks = [...new Set(queries.map(({ obj }) => obj.owner_pk))];
  const byPk = new Map(statements.owners.all(JSON.stringify(pks)).map((row) => [row.pk, row]));
  return queries.map(({ obj }) => byPk.get(obj.owner_pk));
};
const loaders = {
  Topic: {
    collections: async (queries) =>
      queries.map(({ obj, params }) =>
        (params.topLevelOnly ? statements.topLevel : statements.collections).all(obj.pk, params.first)),
  },
  Collection: {
    assets: async (queries, { principals }) =>
      queries.map(({ obj, params: { first, filter } }) =>
        filter
          ? statements.named.all({ collection: obj.pk, first, kinds: JSON.stringify(filter.kinds), principals })
          : statements.page.all({ collection: obj.pk, first, principals })),
    children: async (queries) => queries.map(({ obj }) => statements.children.all(obj.pk)),
    assetCounts: async (queries, { principals }) => {
      const counts = new Map(queries.map(({ obj }) => [obj.pk, none()]));
      const collections = JSON.stringify([...counts.keys()]);
      for (const row of statements.counts.all({ collections, principals })) {
        const entry = counts.get(row.collection);
        entry.total += row.number;
        entry[countOf[row.kind]] = row.number;
      }
      return queries.map(({ obj }) => counts.get(obj.pk));
    },
  },
  ...Object.fromEntries(Object.values(types).map((name) => [name, { owner }])),
};

function authenticate(request) {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  const digest = scheme === 'Bearer' && createHash('sha256').update(token).digest('hex');
  const user = digest && statements.user.get(digest, Date.now());
  if (!user) throw new mercurius.ErrorWithProps('Invalid token.', { code: 'UNAUTHENTICATED' }, 401);
  return { principals: JSON.stringify([1, 2, user, ...statements.groups.all(user)]) };
}

const app = Fastify();
app.register(mercurius, { schema, resolvers, loaders, context: authenticate, jit: Number(process.env.JIT ?? 0), cache: true });
app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
