// Browser storage of GraphiQL: its tabs, history and settings.

// GraphiQL has no setting to keep the headers, and the tokens in them, out of its history.
const KEYS_WITH_HEADERS = ["graphiql:queries", "graphiql:favorites"];

const keyOf = (key) => `atoll:${key}`;
const ownKeys = () => Object.keys(localStorage).filter((key) => key.startsWith(keyOf("")));

/** The storage for GraphiQL, like `localStorage`. */
export const storage = {
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

/** Return whether the page has never been used in this browser. */
export function isFirstVisit() {
  return storage.getItem("graphiql:tabState") === null;
}

function withoutHeaders(history) {
  return JSON.stringify(JSON.parse(history), (key, value) => (key === "headers" ? undefined : value));
}
