import { createClient as createSocketClient } from 'graphql-ws';
import { createClient as createStreamClient } from 'graphql-sse';

/** Waits before another attempt to connect: about a second, and up to half a minute if the server stays away. */
const retryWait = (attempts: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, Math.min(2 ** attempts, 30) * (500 + 500 * Math.random())));

/** Subscribes over one WebSocket. Node.js before 22 needs `webSocketImpl`, such as that of the package ws. */
export function connectSocket(url: string, token: () => string, webSocketImpl?: unknown) {
  const connectionParams = () => ({ authorization: `Bearer ${token()}` });
  const socketUrl = url.replace(/^http/, 'ws');
  return createSocketClient({ url: socketUrl, connectionParams, retryAttempts: Infinity, retryWait, webSocketImpl });
}

/** Subscribes by server-sent events, with a stream for each subscription. */
export function connectStream(url: string, token: () => string) {
  const headers = () => ({ authorization: `Bearer ${token()}` });
  return createStreamClient({ url, headers, retryAttempts: Infinity, retry: retryWait });
}

/** A client of graphql-ws or graphql-sse. */
export interface SubscriptionClient {
  subscribe(request: { query: string; variables?: Record<string, unknown> | null }, sink: Sink): () => void;
}

interface Sink {
  next(result: { data?: unknown }): void;
  error(error: unknown): void;
  complete(): void;
}

/** Has a client resume subscriptions: when it connects again, it sends the cursor of the last event as `after`. */
export function resuming<Client extends object>(client: Client): Client & SubscriptionClient {
  const { subscribe } = client as SubscriptionClient;
  return {
    ...client,
    subscribe(request, sink) {
      const variables = { ...request.variables };
      const next = (result: { data?: unknown }) => {
        const [event] = Object.values((result.data ?? {}) as Record<string, { cursor?: string } | null>);
        if (event?.cursor) variables.after = event.cursor;
        sink.next(result);
      };
      const error = (problem: unknown) => sink.error(problem);
      return subscribe({ ...request, variables }, { next, error, complete: () => sink.complete() });
    },
  };
}

/** Loads a list again for events that need it, and once more for an event that came meanwhile or after a failure. */
export function createReload(load: () => Promise<unknown>): (isNeeded: boolean) => Promise<void> {
  let isLoading = false;
  let isStale = false;
  return async (isNeeded) => {
    isStale ||= isNeeded || isLoading;
    if (isLoading) return;
    isLoading = true;
    try {
      while (isStale) {
        isStale = false;
        await load();
      }
    } catch (failure) {
      isStale = true;
      console.error(failure);
    } finally {
      isLoading = false;
    }
  };
}

interface CollectionEvent<Edge> {
  addedEdges: readonly Edge[];
  removedAssetIds: readonly string[];
}

/** Returns the edges of a collection's list after an event. */
export function applyEvent<Edge extends { node: { id: string } }>(
  edges: readonly Edge[],
  event: CollectionEvent<Edge>,
): Edge[] {
  const changed = new Set([...event.removedAssetIds, ...event.addedEdges.map(({ node }) => node.id)]);
  return [...edges.filter(({ node }) => !changed.has(node.id)), ...event.addedEdges];
}
