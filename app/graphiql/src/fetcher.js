// This file is how GraphiQL asks the API: queries and mutations by POST, subscriptions over a WebSocket.

import { getOperationAST } from "graphql";
import { createClient } from "graphql-ws";

const PATH = "/graphql";

/** Return a GraphiQL fetcher; `token()` is asked at each operation, and null or "" is an anonymous visitor. */
export function createFetcher(token) {
  const socket = createClient({
    url: () => Object.assign(new URL(PATH, location), { protocol: location.protocol.replace("http", "ws") }).href,
    connectionParams: () => authorization(token()),
    retryAttempts: 0,
  });
  return (operation, { headers, documentAST } = {}) => {
    const asked = documentAST && getOperationAST(documentAST, operation.operationName);
    return asked?.operation === "subscription"
      ? subscription(socket, operation)
      : post(operation, { ...authorization(token()), ...lowerCased(headers) });
  };
}

function authorization(token) {
  return token ? { authorization: `Bearer ${token}` } : {};
}

// So that an `Authorization` typed among the headers takes the place of the account's own.
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
    return answerOf(response, await response.text());
  } catch (error) {
    return failure(`The server could not be asked: ${error.message}`);
  }
}

function answerOf(response, text) {
  try {
    return JSON.parse(text);
  } catch {
    return failure(`The server answered ${response.status} ${response.statusText}: ${text.slice(0, 500)}`);
  }
}

// An answer and not an Error, which GraphiQL would show with the stack of its own minified script.
function failure(message) {
  return { errors: [{ message }] };
}

function subscription(socket, operation) {
  return {
    subscribe: ({ next, error, complete }) => ({
      unsubscribe: socket.subscribe(operation, { next, complete, error: (problem) => error(readable(problem)) }),
    }),
  };
}

// A CloseEvent prints as nothing but {"isTrusted": true}.
function readable(problem) {
  return problem instanceof CloseEvent
    ? { message: `The connection closed: ${problem.reason || problem.code}` }
    : problem;
}
