// Search in the names and descriptions of a schema.

const MOST_RESULTS = 50;

/** Return an entry for each type, field, argument and enum value: `{ name, description, definitions }`. */
export function entriesOf(schema) {
  const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith("__"));
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].filter(Boolean);
  return [...roots, ...types.filter((type) => !roots.includes(type))].flatMap((type) => [
    entry([type]),
    ...Object.values(type.getFields?.() ?? {}).flatMap((field) => [
      entry([type, field]),
      ...(field.args ?? []).map((argument) => entry([type, field], argument)),
    ]),
    ...(type.getValues?.() ?? []).map((value) => entry([type], value)),
  ]);
}

/** Return the entries with all words, those with a word in the name first. */
export function search(entries, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const has = (part) => words.every((word) => part.toLowerCase().includes(word));
  const isNamed = ({ name }) => words.some((word) => name.toLowerCase().includes(word));
  const found = entries.filter(({ name, description }) => has(`${name} ${description}`));
  return [...found.filter(isNamed), ...found.filter((each) => !isNamed(each))].slice(0, MOST_RESULTS);
}

// An argument or a value has no page of its own: its entry leads to that of its field or type.
function entry(definitions, part = null) {
  const names = [...definitions, ...(part ? [part] : [])].map(({ name }) => name);
  return { name: names.join("."), description: (part ?? definitions.at(-1)).description ?? "", definitions };
}
