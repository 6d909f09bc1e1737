// The worked examples as sets of tabs, and the browser storage of each set.

const LABELS = { web: "Web client", admin: "Administrators", analyst: "Analysts" };
const CURRENT_SET = "atoll:set";
// Keys that GraphiQL stores per set of tabs. All others (theme, history, widths) are shared by the sets.
const KEYS_OF_SET = ["graphiql:tabState", "graphiql:query", "graphiql:variables", "graphiql:headers"];
// GraphiQL has no setting to keep the headers, and the tokens in them, out of its history.
const KEYS_WITH_HEADERS = ["graphiql:queries", "graphiql:favorites"];

/** Return the groups of the examples, in the examples' order: `{ name, label, tabs }`. */
export function groupsOf(examples) {
  const names = [...new Set(examples.map(({ group }) => group))];
  return names.map((name) => ({
    name,
    label: LABELS[name] ?? name,
    tabs: examples.filter(({ group }) => group === name),
  }));
}

/** Return the group that was open last, or the first; null if there are no examples. */
export function firstGroup(groups) {
  return groups.find(({ name }) => name === localStorage.getItem(CURRENT_SET)) ?? groups[0] ?? null;
}

/**
 * Open the tabs of a group, at the example with this title if one is given, and return the storage for GraphiQL to read
 * them from. Tabs are restored as they were left. When the examples have changed, their tabs are reset, and the user's
 * own tabs are kept.
 */
export function openSet(group, title) {
  const name = group?.name ?? "own";
  const storage = storageOf(name);
  localStorage.setItem(CURRENT_SET, name);
  if (!group) {
    return { name, storage, tabs: [], isNew: false };
  }
  const stored = JSON.parse(storage.getItem("graphiql:tabState") ?? "null");
  const source = JSON.stringify(group.tabs);
  const isNew = !stored || storage.getItem("source") !== source;
  const tabs = isNew ? [...group.tabs.map(tabOf), ...ownTabs(stored, group)] : stored.tabs;
  const active = title ? findOrAddTab(tabs, group, title) : isNew ? 0 : stored.activeTabIndex;
  storage.setItem("source", source);
  storage.setItem("graphiql:tabState", JSON.stringify({ tabs, activeTabIndex: active }));
  storage.setItem("graphiql:query", tabs[active]?.query ?? "");
  storage.setItem("graphiql:variables", tabs[active]?.variables ?? "");
  return { name, storage, tabs: group.tabs, isNew: isNew || Boolean(title) };
}

/** Return the text to edit: the query below its title and account, which are added unless the query has them. */
export function textOf({ title, account, query }) {
  const own = headingOf(query);
  if (own.title === title && own.account === account) {
    return query;
  }
  return `# ${title}\n${account ? `# as: ${account}\n` : ""}\n${query}`;
}

/** Return the title and the account in the first lines of a text, each null if absent. */
export function headingOf(text) {
  const comments = [];
  for (const line of (text ?? "").split("\n")) {
    if (!line.startsWith("#")) break;
    comments.push(line.replace(/^#+/, "").trim());
  }
  return { title: comments[0] || null, account: /^as:\s*(\S.*)$/.exec(comments[1] ?? "")?.[1] ?? null };
}

function tabOf(example) {
  const query = textOf(example);
  const operationName = /^\s*(?:query|mutation|subscription)\s+(\w+)/m.exec(query)?.[1] ?? null;
  return {
    id: Math.random().toString(36).slice(2),
    hash: null,
    title: operationName ?? "<untitled>",
    query,
    variables: example.variables,
    headers: null,
    operationName,
    response: null,
  };
}

function ownTabs(stored, group) {
  return (stored?.tabs ?? []).filter((tab) => !group.tabs.some(({ title }) => title === headingOf(tab.query).title));
}

function findOrAddTab(tabs, group, title) {
  const index = tabs.findIndex((tab) => headingOf(tab.query).title === title);
  return index >= 0 ? index : tabs.push(tabOf(group.tabs.find((example) => example.title === title))) - 1;
}

function storageOf(set) {
  const keyOf = (key) => (key === "source" || KEYS_OF_SET.includes(key) ? `atoll:${set}:${key}` : `atoll:${key}`);
  const ownKeys = () => Object.keys(localStorage).filter((key) => key.startsWith("atoll:"));
  return {
    getItem: (key) => localStorage.getItem(keyOf(key)),
    setItem(key, value) {
      localStorage.setItem(keyOf(key), KEYS_WITH_HEADERS.includes(key) ? withoutHeaders(value) : value);
    },
    removeItem: (key) => localStorage.removeItem(keyOf(key)),
    clear: () => ownKeys().forEach((key) => localStorage.removeItem(key)),
    get length() {
      return ownKeys().length;
    },
  };
}

function withoutHeaders(history) {
  return JSON.stringify(JSON.parse(history), (key, value) => (key === "headers" ? undefined : value));
}
