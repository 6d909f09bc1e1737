// Writes possible_types.ts, for Apollo Client, and introspection.ts, for urql, from schema.graphql.

import { readFileSync, writeFileSync } from 'node:fs';
import { buildSchema, introspectionFromSchema, isAbstractType } from 'graphql';
import { minifyIntrospectionQuery } from '@urql/introspection';

const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
const possibleTypes = Object.fromEntries(
  Object.values(schema.getTypeMap())
    .filter(isAbstractType)
    .map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]),
);
const introspection = minifyIntrospectionQuery(introspectionFromSchema(schema));

for (const [file, values] of [
  ['possible_types.ts', { possibleTypes }],
  ['introspection.ts', { introspection }],
]) {
  const [[name, value]] = Object.entries(values);
  writeFileSync(file, `export const ${name} = ${JSON.stringify(value)};\n`);
}
