// Variables of worked examples, filled in from objects that the viewer sees.

const PLACEHOLDER = /"<([^<>"]+)>"/g;
const LONGEST_PAGE = 100;

const NOTE = "# The variables are yours to complete: run Candidates, and choose from its response.";

/**
 * Return the query and variables of an example, with its placeholders replaced.
 *
 * A placeholder such as `"<topics.nodes.0.id>"` is a path into `data`, the response to the example's query of
 * candidates. As a step, `*` is the list of all items, and `?` the first item with which each placeholder has a value.
 * The viewer's own id is no value: examples share with others. If a placeholder has no value, all are left empty, and
 * the query of candidates is put beside the example's.
 */
export function fillIn({ query, variables, candidates }, data) {
  const paths = [...variables.matchAll(PLACEHOLDER)].map(([, path]) => path);
  for (let index = 0; index < LONGEST_PAGE; index++) {
    const values = paths.map((path) => valueAt(data, path.replace("?", index).split(".")));
    if (values.every((value) => isUsable(value, data))) {
      return { query, variables: variables.replace(PLACEHOLDER, () => JSON.stringify(values.shift())) };
    }
  }
  return { query: withCandidates(query, candidates), variables: variables.replace(PLACEHOLDER, '""') };
}

function valueAt(value, [step, ...rest]) {
  if (step === undefined || value === null || value === undefined) {
    return value;
  }
  return step === "*" ? value.map((item) => valueAt(item, rest)) : valueAt(value[step], rest);
}

function isUsable(value, data) {
  return value !== null && value !== undefined && value.length !== 0 && value !== data.viewer?.user?.id;
}

function withCandidates(query, candidates) {
  const [title, role, ...rest] = query.split("\n");
  return [title, role, NOTE, candidates, "", ...rest].join("\n");
}
