// Fetcher of GraphiQL: queries and mutations by POST, each subscription over a WebSocket of its own.

import { getOperationAST } from "graphql";
import { createClient } from "graphql-ws";

// Relative to the page, which a proxy may serve under a prefix.
const PATH = "graphql";

/** Return a GraphiQL fetcher. It calls `token()` for each operation; null or "" is an anonymous visitor. */
export function createFetcher(token) {
  return (operation, { headers: typed, documentAST } = {}) => {
    const definition = documentAST && getOperationAST(documentAST, operation.operationName);
    const headers = { ...authorization(token()), ...lowerCased(typed) };
    return definition?.operation === "subscription" ? subscription(operation, headers) : post(operation, headers);
  };
}

function authorization(token) {
  return token ? { authorization: `Bearer ${token}` } : {};
}

// An `Authorization` header typed by the user then replaces the account's.
function lowerCased(headers) {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
}

async function post(operation, headers) {
  try {
    const response = await fetch(PATH, {
      method: "POST",
      credentials: "omit",
      headers: {
        accept: "application/graphql-response+json, application/json;q=0.9",
        "content-type": "application/json",
        ...headers,
      },
      body: JSON.stringify(operation),
    });
    return parseResponse(response, await response.text());
  } catch (error) {
    return failure(`The server cannot be reached: ${error.message}`);
  }
}

function parseResponse(response, text) {
  try {
    return JSON.parse(text);
  } catch {
    return failure(`The server answered ${response.status} ${response.statusText}: ${text.slice(0, 500)}`);
  }
}

// A response instead of an Error, which GraphiQL would show with the stack of its minified script.
function failure(message) {
  return { errors: [{ message }] };
}

// The token of a socket cannot change, and tabs may have different ones.
function subscription(operation, headers) {
  const socket = createClient({
    url: () => Object.assign(new URL(PATH, location), { protocol: location.protocol.replace("http", "ws") }).href,
    connectionParams: headers,
    retryAttempts: 0,
  });
  return {
    subscribe: ({ next, error, complete }) => ({
      unsubscribe: socket.subscribe(operation, { next, complete, error: (problem) => error(readable(problem)) }),
    }),
  };
}

// GraphiQL would print a CloseEvent as {"isTrusted": true}.
function readable(problem) {
  return problem instanceof CloseEvent
    ? { message: `The connection closed: ${problem.reason || problem.code}` }
    : problem;
}
