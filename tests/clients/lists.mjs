// All lists of the schema, each with its type, its field and the arguments that are no part of paging. Lists of an
// interface are here for the interface and for each type that inherits them.

import { readFileSync } from 'node:fs';
import { buildSchema, getNamedType, isInterfaceType, isObjectType } from 'graphql';

const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
const isPaging = (name) => ['first', 'after', 'last', 'before'].includes(name);
const isInherited = (type, { name }) => type.getInterfaces().some((parent) => parent.getFields()[name]);

export const lists = Object.values(schema.getTypeMap())
  .filter((type) => isObjectType(type) || isInterfaceType(type))
  .flatMap((type) =>
    Object.values(type.getFields())
      .filter((field) => getNamedType(field.type).name.endsWith('Connection'))
      .map((field) => {
        const args = field.args.map(({ name }) => name);
        const keyArgs = args.filter((name) => !isPaging(name));
        const origin = { isInherited: isInherited(type, field), isOfInterface: isInterfaceType(type) };
        return { type: type.name, field: field.name, args, keyArgs, ...origin };
      }),
  );
