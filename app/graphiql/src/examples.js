// This file is the worked examples as sets of tabs, and where the browser keeps each set.

const LABELS = { web: "Web client", admin: "Administrators", analyst: "Analysts" };
const CHOSEN = "atoll:set";
// What GraphiQL remembers of one set of tabs; all else (theme, history, widths) is common to the sets.
const OF_A_SET = ["graphiql:tabState", "graphiql:query", "graphiql:variables", "graphiql:headers"];
// The history writes down the headers of what was run, tokens and all, and has no setting against it.
const WITH_HEADERS = ["graphiql:queries", "graphiql:favorites"];

/** Return the groups that have examples, in the order they come: `{ name, label, tabs }`. */
export function groupsOf(examples) {
  const names = [...new Set(examples.map(({ group }) => group))];
  return names.map((name) => ({
    name,
    label: LABELS[name] ?? name,
    tabs: examples.filter(({ group }) => group === name),
  }));
}

/** Return the group that was open last, or the first; null when there are none. */
export function firstGroup(groups) {
  return groups.find(({ name }) => name === localStorage.getItem(CHOSEN)) ?? groups[0] ?? null;
}

/**
 * Open the tabs of a group, at the example of that title if one is given, and return what GraphiQL is to read them
 * from. Tabs come back as they were left, until the examples themselves change: then only the tabs that are no
 * example are kept.
 */
export function openSet(group, title) {
  const name = group?.name ?? "own";
  const storage = storageOf(name);
  localStorage.setItem(CHOSEN, name);
  if (!group) {
    return { name, storage, tabs: [], isNew: false };
  }
  const kept = JSON.parse(storage.getItem("graphiql:tabState") ?? "null");
  const source = JSON.stringify(group.tabs);
  const isNew = !kept || storage.getItem("source") !== source;
  const tabs = isNew ? [...group.tabs.map(tabOf), ...ownTabs(kept, group)] : kept.tabs;
  const active = title ? place(tabs, group, title) : isNew ? 0 : kept.activeTabIndex;
  storage.setItem("source", source);
  storage.setItem("graphiql:tabState", JSON.stringify({ tabs, activeTabIndex: active }));
  storage.setItem("graphiql:query", tabs[active]?.query ?? "");
  storage.setItem("graphiql:variables", tabs[active]?.variables ?? "");
  return { name, storage, tabs: group.tabs, isNew: isNew || Boolean(title) };
}

/** Return the text to edit: the query under its title and account, added where it does not open with them. */
export function textOf({ title, account, query }) {
  const own = headingOf(query);
  if (own.title === title && own.account === account) {
    return query;
  }
  return `# ${title}\n${account ? `# as: ${account}\n` : ""}\n${query}`;
}

/** Return the title and the account that a text opens with, each null where there is none. */
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

function ownTabs(kept, group) {
  return (kept?.tabs ?? []).filter((tab) => !group.tabs.some(({ title }) => title === headingOf(tab.query).title));
}

function place(tabs, group, title) {
  const at = tabs.findIndex((tab) => headingOf(tab.query).title === title);
  return at >= 0 ? at : tabs.push(tabOf(group.tabs.find((example) => example.title === title))) - 1;
}

function storageOf(set) {
  const keyOf = (key) => (key === "source" || OF_A_SET.includes(key) ? `atoll:${set}:${key}` : `atoll:${key}`);
  const ownKeys = () => Object.keys(localStorage).filter((key) => key.startsWith("atoll:"));
  return {
    getItem: (key) => localStorage.getItem(keyOf(key)),
    setItem(key, value) {
      localStorage.setItem(keyOf(key), WITH_HEADERS.includes(key) ? withoutHeaders(value) : value);
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
